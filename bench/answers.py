"""The cost of large answers: seconds, the longest stall of the event loop, memory.

    python -m bench.answers

Prints a line for each; every one is measured in a process of its own.
"""

import asyncio
import gc
import json
import time
from collections.abc import Callable
from functools import partial

from bench.figures import Figure, median
from bench.measuring import MIB, apart, peak, ratios, stall, turns
from bench.offices import answer, inventory, standard_policy
from bench.scrape import NOW
from nexhealth_exporter.errors import PollError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Poll
from nexhealth_exporter.nexhealth import envelope, payload
from nexhealth_exporter.poller.latest import Latest

REPEATS = 3
"""How often a round is repeated from the same fleet: each turn counts with its shortest time.

Now and then these machines take ten times as long for 20 ms, as a loop that only counts shows. One
of 500 turns meets that in most rounds; the same turn does not meet it three times.
"""


def figures(institutions: int, rounds: int) -> list[Figure]:
    """The answer about a fleet with so many institutions, against json.loads of it."""
    ours, theirs = apart(_stalls, institutions, rounds)
    what = f"longest stall, {institutions:,} institutions, relative to json.loads"
    return [
        median("fleet answer", what, ratios(ours, theirs), 0.1),
        median("fleet answer", "longest stall, CPU", [1e3 * s for s in ours], None, unit=" ms"),
    ]


def _stalls(institutions: int, rounds: int) -> tuple[list[float], list[float]]:
    return asyncio.run(_taken(institutions, rounds))


async def _taken(institutions: int, rounds: int) -> tuple[list[float], list[float]]:
    everybody, ours, theirs = inventory(institutions), [], []
    fleet = Fleet().watching(everybody, standard_policy())
    for number in range(rounds + 1):
        now = NOW + 300 * number
        body = answer(institutions, now)

        async def taken(body: bytearray, latest: Latest, now: float = now) -> None:
            parts = await envelope.decode_piecewise(body)
            found = await payload.fleet(parts, everybody, lambda *_: None)
            await latest.record_all(Poll(s, now, syncs) for s, syncs in found.items())

        repeats, loads = [], []
        latests = [Latest(fleet, standard_policy(), OwnMetrics("bench")) for _ in range(REPEATS)]
        for latest in latests:
            began = time.process_time()
            json.loads(body)
            loads.append(time.process_time() - began)
            # Reading an answer takes it apart.
            work = partial(taken, bytearray(body), latest)
            # As after the program's first round; and garbage is looked for at the same turns.
            gc.collect()
            gc.freeze()
            repeats.append(await turns(work))
        fleet = latests[0].fleet
        ours.append(max(min(turn) for turn in zip(*repeats, strict=True)))
        theirs.append(min(loads))
    # The first meets everybody for the first time, which no later one does.
    return ours[1:], theirs[1:]


def flood(entry: bytes, values: int) -> bytearray:
    """An answer with so many values."""
    marks = sum(map(entry.count, (b",", b"[", b"{"))) + 1
    entries = (entry + b",") * (values // marks - 1)
    return bytearray(b'{"code":true,"data":[' + entries + entry + b"]}")


ANSWERS: dict[str, Callable[[], bytearray]] = {
    "fleet of 10,000 syncs": lambda: answer(6667, NOW),
    "fleet of 50,000 syncs": lambda: answer(33_333, NOW),
    "fleet of 150,000 syncs": lambda: answer(100_000, NOW),
    "4.9 million numbers": lambda: flood(b"1", 4_900_000),
    "200,000 tiny syncs of one institution": lambda: flood(b'{"institution_id":1}', 400_000),
    "100 million numbers": lambda: flood(b"1", 100_000_000),
}


def measured(name: str) -> str:
    """One answer, read as the exporter reads it."""
    return asyncio.run(_read(name))


async def _read(name: str) -> str:
    body, everybody = ANSWERS[name](), inventory(100_000)
    memory, outcome = peak(), ""

    async def read() -> None:
        nonlocal outcome
        try:
            parts = await envelope.decode_piecewise(body)
            found = await payload.fleet(parts, everybody, lambda *_: None)
            outcome = f"{sum(map(len, found.values()))} syncs"
        except PollError as error:
            outcome = error.reason

    began = time.process_time()
    longest = await stall(read)
    seconds = time.process_time() - began
    return (
        f"{name}: {len(body) / MIB:.0f} MiB, {outcome}, {seconds:.2f} s, "
        f"holds the loop {longest:.2f} s, {(peak() - memory) / MIB:.0f} MiB beside the body"
    )


if __name__ == "__main__":
    for each in ANSWERS:
        print(apart(measured, each))
