"""Ten thousand syncs stay usable."""

import time

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


async def test_a_page_over_ten_thousand_syncs_stays_quick(site: Site) -> None:
    site.world.fleet = crowd()

    spent = []
    for _ in range(7):
        site.now += 15
        started = time.process_time()
        assert "10000 offices with 10000 syncs" in await site.text("/?text=office-077")
        spent.append(time.process_time() - started)

    # 0.08 s were measured. Processor time, and twice as much as a page may take: neither a
    # busy nor a slow machine shall fail what is quick.
    assert min(spent) < 0.2
