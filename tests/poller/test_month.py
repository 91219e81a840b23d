"""A month of polling in compressed time, over real HTTP: what it costs and what was projected."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.plan import MONTH, Pace, Scope
from nexhealth_exporter.simulator import Office
from nexhealth_exporter.simulator import faults as f
from tests.poller.conftest import Polling
from tests.poller.months import DAY, HOUR, PACE, Happen, offices, polled_for


async def nothing(_: Polling) -> None:
    """All goes well."""


@dataclass(frozen=True)
class Spent:
    """Calls of 30 days, by endpoint and code: as the simulator saw them and as the page has them.

    `projected` is what the page said at the end, `asked` whom the calls for syncs were about
    (None is the fleet), `last_days` how many calls the last three days took.
    """

    seen: Mapping[tuple[str, str], int]
    counted: Mapping[tuple[str, str], int]
    projected: float
    asked: Counter[str | None]
    last_days: int

    @property
    def total(self) -> int:
        return sum(self.seen.values())


def month(
    known: Iterable[Office], pace: Pace, happen: Happen = nothing, *, token_lifetime: float = HOUR
) -> Spent:
    before_last_days = 0

    async def happens(polling: Polling) -> None:
        nonlocal before_last_days
        await happen(polling)
        await asyncio.sleep(MONTH - 3 * DAY - asyncio.get_running_loop().time())
        before_last_days = polling.simulator.traffic.count()

    polled = polled_for(MONTH - 1, known, pace, happens, token_lifetime=token_lifetime)
    traffic = polled.simulator.traffic
    return Spent(
        seen={(end, str(code or "none")): number for (end, code), number in traffic.counts.items()},
        counted=counted(polled),
        projected=polled.count("nexhealth_api_calls_projected"),
        asked=Counter(call.subdomain for call in traffic.calls if call.endpoint == "sync_status"),
        last_days=traffic.count() - before_last_days,
    )


def counted(polled: Polling) -> Mapping[tuple[str, str], int]:
    page = polled.own.page(frozenset(), openmetrics=False).decode()
    sample = r'^nexhealth_api_requests_total\{code="(\w+)",endpoint="(\w+)"\} (\S+)$'
    found = re.findall(sample, page, re.MULTILINE)
    return {(endpoint, code): int(float(number)) for code, endpoint, number in found}


async def some_are_left_out(polling: Polling) -> None:
    """The first two have syncs all the same."""
    for office in (1, 2):
        polling.simulator.faults[f"office-{office}"] = f.Absent()


async def the_fleet_is_refused(polling: Polling) -> None:
    polling.simulator.faults["/sync_status"] = f.Status(403)
    for subdomain in polling.simulator.offices:
        polling.simulator.faults[subdomain] = f.Absent()


@dataclass(frozen=True)
class Case:
    known: Sequence[Office]
    pace: Pace = PACE
    happen: Happen = nothing
    token_lifetime: float = HOUR
    rounds: Mapping[str | None, int] = field(default_factory=dict)
    """How often an institution, or the fleet (None), is asked in 30 days."""


CASES = {
    "auto, few": Case(
        offices(3), altered(PACE, interval=2 * HOUR), rounds={None: 0, "office-3": 360}
    ),
    "auto, many": Case(
        offices(20), altered(PACE, interval=2 * HOUR), rounds={None: 360, "office-3": 0}
    ),
    "auto, many, stretched": Case(
        offices(20), altered(PACE, budget=1000.0), rounds={None: 363, "office-3": 0}
    ),
    "auto, some left out": Case(
        [*offices(8), *offices(12, syncs=False)[8:]],
        altered(PACE, interval=2 * HOUR),
        some_are_left_out,
        rounds={None: 360, "office-1": 360, "office-3": 0, "office-12": 120},
    ),
    "auto, fleet refused": Case(
        offices(9),
        altered(PACE, budget=2500.0),
        the_fleet_is_refused,
        rounds={None: 120, "office-3": 154},
    ),
    "fleet, tokens for a day": Case(
        offices(5),
        altered(PACE, scope=Scope.FLEET, budget=500.0),
        token_lifetime=DAY,
        rounds={None: 720},
    ),
    "institution": Case(
        offices(4),
        altered(PACE, scope=Scope.INSTITUTION, interval=2 * HOUR, budget=500.0),
        rounds={None: 0, "office-3": 360},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_month_costs_what_the_page_counts_and_what_was_projected(case: Case) -> None:
    spent = month(case.known, case.pace, case.happen, token_lifetime=case.token_lifetime)

    assert spent.counted == spent.seen
    assert spent.projected == pytest.approx(spent.total, rel=0.01)
    if case.pace.scope is Scope.AUTO:
        assert spent.total <= case.pace.budget
    for subdomain, times in case.rounds.items():
        assert spent.asked[subdomain] == pytest.approx(times, rel=0.02)


async def many_things_fail(polling: Polling) -> None:
    """Something twice a day, each of which costs retries."""
    failures: list[tuple[str, f.Fault]] = [
        ("office-1", f.Status(503)),
        ("office-2", f.Throttle()),
        ("office-3", f.Throttle(retry_after=20)),
        ("office-1", f.Hang()),
        ("office-2", f.Reset()),
        ("office-1", f.Status(401)),
        ("/authenticates", f.Status(500)),
        ("/locations", f.Status(502, "html")),
    ]
    for number in range(60):
        key, fault = failures[number % len(failures)]
        polling.simulator.faults[key] = f.First(1 + number % 2, fault)
        await asyncio.sleep(12 * HOUR)


def test_retries_and_calls_that_break_are_counted_as_they_are_sent() -> None:
    spent = month(offices(3), PACE, many_things_fail)

    assert spent.counted == spent.seen
    assert spent.seen["sync_status", "none"] > 10
    assert spent.seen["sync_status", "429"] > 10
    assert 3120 + 60 < spent.total <= PACE.budget


async def every_call_is_throttled(polling: Polling) -> None:
    await asyncio.sleep(DAY)
    polling.simulator.faults["/sync_status"] = f.Throttle()


async def every_token_is_refused(polling: Polling) -> None:
    await asyncio.sleep(DAY)
    polling.simulator.faults["/sync_status"] = f.Status(401)


async def there_is_no_inventory(polling: Polling) -> None:
    polling.simulator.faults["/institutions"] = f.Status(500)


def test_a_first_round_asks_everybody_at_once_and_is_paid_for_later() -> None:
    asked_at_once = 0

    async def refused(polling: Polling) -> None:
        nonlocal asked_at_once
        await the_fleet_is_refused(polling)
        await asyncio.sleep(HOUR / 6)
        asked_at_once = polling.simulator.traffic.count("sync_status", 200)

    spent = month(offices(100), altered(PACE, budget=1000.0), refused)

    assert asked_at_once == 100
    assert 700 < spent.total <= 1000


@pytest.mark.parametrize(
    "happen", [every_call_is_throttled, every_token_is_refused, there_is_no_inventory]
)
def test_auto_keeps_to_its_budget_while_all_fails_and_never_gives_up(happen: Happen) -> None:
    spent = month(offices(40), altered(PACE, budget=1000.0), happen)

    assert spent.counted == spent.seen
    assert 700 < spent.total <= 1000
    assert spent.last_days > 60


@pytest.mark.parametrize("happen", [nothing, many_things_fail, every_call_is_throttled])
@pytest.mark.parametrize("budget", [20.0, 60.0])
def test_auto_keeps_to_a_budget_of_a_few_calls_as_well(budget: float, happen: Happen) -> None:
    spent = month(offices(10), altered(PACE, budget=budget), happen)

    assert spent.counted == spent.seen
    assert budget / 2 < spent.total <= budget
