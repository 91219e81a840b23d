"""`simulate`: only the simulated NexHealth."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from nexhealth_exporter.cli.running import until_stopped
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.simulator import Office, Simulator
from nexhealth_exporter.simulator.fleets import mixed_fleet


async def simulate(arguments: argparse.Namespace) -> int:
    """Serve a simulated fleet until stopped."""
    async with _listening(arguments, ()):
        pass  # tried before the fleet is made: a large one takes half a minute
    offices = mixed_fleet(arguments.institutions, seed=arguments.seed)
    async with _listening(arguments, offices) as simulator:
        print(f"Simulated NexHealth with {len(offices)} institutions: {simulator.url}")
        print(f"NEXHEALTH_EXPORTER_API_URL={simulator.url}")
        print(f"NEXHEALTH_EXPORTER_API_KEY={simulator.api_key}", flush=True)
        await until_stopped(asyncio.Event().wait)
    return 0


@asynccontextmanager
async def _listening(
    arguments: argparse.Namespace, offices: Iterable[Office]
) -> AsyncIterator[Simulator]:
    """A simulator of them. Raises ConfigError if the address cannot be used."""
    simulator = Simulator(
        offices,
        host=arguments.host,
        port=arguments.port,
        per_second=arguments.requests_per_second,
        per_minute=arguments.requests_per_minute,
        retry_after="seconds",
    )
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(simulator)
        except OSError as error:
            where = f"{arguments.host}:{arguments.port}"
            raise ConfigError(f"--port: cannot listen on {where}: {error.strerror}.") from None
        except UnicodeError:
            host = arguments.host
            raise ConfigError(f"--host {host} is not the name or address of a host.") from None
        yield simulator
