"""What evaluating the expectation of 10,000 syncs costs, by the ways it could be done.

    python bench/expectation.py

CPU time of this process, median of interleaved rounds; ratios hold on a noisy machine.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import DEFAULT_HOURS, HOUR, week_plan
from nexhealth_exporter.model import IntegrationType, Source

SYNCS, SCHEDULES, ROUNDS = 10_000, 100, 15
ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC).timestamp()


def expectations() -> list[Expectation]:
    """A hundred different schedules over four zones, with lunch and holidays."""
    made = []
    for number in range(SCHEDULES):
        window = (6 * HOUR + number * 120, 16 * HOUR + number * 240)
        schedule = altered(DEFAULT_HOURS, name=str(number), windows=((window,),) * 5 + ((), ()))
        days = week_plan(schedule, IntegrationType.CLOUD)
        zone = ZONES[number % len(ZONES)]
        made.append(Expectation(Source.CONFIGURED, str(number), zone, days, ("US",)))
    return made


def main() -> None:
    """Print a table."""
    known = expectations()
    syncs = [(known[i % SCHEDULES], NOW - 60.0 * (i % 5000)) for i in range(2 * SYNCS)]
    lines = [expectation.running(mark, NOW) for expectation, mark in syncs]

    def by_wall_clock() -> None:
        for expectation, _ in syncs[::2]:
            local = datetime.fromtimestamp(NOW, UTC).astimezone(ZoneInfo(expectation.timezone))
            second = local.hour * 3600 + local.minute * 60
            next(s for s in expectation.days[local.weekday()] if s.end > second)

    ways: dict[str, Callable[[], object]] = {
        "expected or not, by wall clock, nothing kept": by_wall_clock,
        "expected or not, pieces kept": lambda: [e.piece(NOW) for e, _ in syncs[::2]],
        "unexpected lag of both directions, added up": lambda: [
            e.unexpected(mark, NOW) for e, mark in syncs
        ],
        "unexpected lag of both directions, lines kept": lambda: [
            x.value + x.rate * (NOW - x.at) for x in lines
        ],
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            way()
            taken[name].append(1000 * (time.process_time() - began))
    print(f"{SYNCS} syncs, {SCHEDULES} schedules, CPU ms for all of them (median of {ROUNDS})")
    for name, values in taken.items():
        print(f"{statistics.median(values):8.1f}  {name}")


if __name__ == "__main__":
    main()
