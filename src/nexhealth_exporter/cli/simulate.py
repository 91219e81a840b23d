"""`simulate`: only the simulated NexHealth."""

import argparse
import asyncio

from nexhealth_exporter.cli.running import until_stopped
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.simulator import Simulator
from nexhealth_exporter.simulator.fleets import mixed_fleet


async def simulate(arguments: argparse.Namespace) -> int:
    """Serve a simulated fleet until stopped."""
    offices = mixed_fleet(arguments.institutions, seed=arguments.seed)
    simulator = Simulator(
        offices,
        host=arguments.host,
        port=arguments.port,
        per_second=arguments.requests_per_second,
        per_minute=arguments.requests_per_minute,
        retry_after="seconds",
    )
    try:
        await simulator.__aenter__()
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        raise ConfigError(f"--port: cannot listen on {where}: {error.strerror}.") from None
    except UnicodeError:
        host = arguments.host
        raise ConfigError(f"--host {host} is not the name or address of a host.") from None
    try:
        print(f"Simulated NexHealth with {len(offices)} institutions: {simulator.url}")
        print(f"NEXHEALTH_EXPORTER_API_URL={simulator.url}")
        print(f"NEXHEALTH_EXPORTER_API_KEY={simulator.api_key}", flush=True)
        await until_stopped(asyncio.Event().wait)
    finally:
        await simulator.__aexit__(None, None, None)
    return 0
