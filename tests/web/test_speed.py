"""Ten thousand syncs stay usable."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import Schedule, week_plan
from nexhealth_exporter.fleet import Fleet, Hours, Policy
from nexhealth_exporter.model import IntegrationType, Inventory, Poll, Source, Sync
from tests.fleet.conftest import DAY, office
from tests.web.conftest import NOON, Site

SYNCS = 10_000
AGES = (60, 300, 900, 1500, 4000, 9000, 90_000, 3_000_000)


def crowd() -> Fleet:
    """Offices with a hundred different hours, in every state."""
    hours = [
        Hours(
            Expectation(
                Source.CONFIGURED,
                f"schedule-{n}",
                "America/New_York",
                week_plan(
                    Schedule("own", (((7 * 3600 + n * 60, 17 * 3600),),) * 5 + ((), ())),
                    IntegrationType.SERVER,
                ),
                holidays=("US",),
            ),
            allowance={},
            is_fallback=False,
        )
        for n in range(100)
    ]
    policy = Policy(
        hours=lambda institution, *_: hours[int(institution.subdomain[-2:])],
        group=lambda *_: "",
        stale_after=DAY,
        abandoned_after=30 * DAY,
    )
    kinds = tuple(IntegrationType)
    polls = [
        Poll(
            f"office-{n:05}",
            NOON - 30,
            (Sync("Main", kinds[n % 3], "Dentrix", NOON - AGES[n % 8], NOON - AGES[n % 7]),),
        )
        for n in range(SYNCS)
    ]
    inventory = Inventory({poll.subdomain: office(poll.subdomain) for poll in polls})
    return Fleet().watching(inventory, policy).after(polls, policy)


@contextmanager
def calls_counted() -> Iterator[Counter[str]]:
    """How many functions, of Python and of C, this thread calls meanwhile."""
    counted: Counter[str] = Counter()
    before = sys.getprofile()
    sys.setprofile(lambda _frame, event, _argument: counted.update((event,)))
    try:
        yield counted
    finally:
        sys.setprofile(before)


async def test_a_page_over_ten_thousand_syncs_stays_quick(site: Site) -> None:
    site.world.fleet = crowd()
    assert "10000 offices with 10000 syncs" in await site.text("/?text=office-077")

    # What is worked out once for all stands by now; a page of the next scrape remains.
    site.now += 15
    with calls_counted() as counted:
        assert "10000 offices with 10000 syncs" in await site.text("/?text=office-077")

    # Work instead of time: the same on every machine, busy or not. 45 were counted.
    assert 1 < (counted["call"] + counted["c_call"]) / SYNCS < 47
