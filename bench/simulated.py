"""The simulated API for benchmarks, as a process of its own: `python -m bench.simulated N`.

Prints its address once it listens, and ends when its input does.
"""

import argparse
import asyncio
import sys

import uvloop

from bench.offices import offices
from nexhealth_exporter.simulator import Simulator


async def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("institutions", type=int)
    given = parser.parse_args()
    simulator = Simulator(
        offices(given.institutions), api_key="bench", per_second=None, per_minute=None
    )
    async with simulator:
        print(simulator.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
