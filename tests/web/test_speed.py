"""Ten thousand syncs stay usable."""

import time

from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import IntegrationType, Inventory, Poll, Sync
from nexhealth_exporter.policy import policy
from nexhealth_exporter.rules import read
from tests.fleet.conftest import DEFAULTS, office
from tests.web.conftest import NOON, Site

SYNCS = 10_000
AGES = (60, 300, 900, 1500, 4000, 9000, 90_000, 3_000_000)


def crowd() -> Fleet:
    """Offices with a hundred different schedules, in every state."""
    schedules = "\n".join(
        f"  s{n}: {{hours: {{mon-fri: '0{7 + n % 3}:{n % 60:02}-17:{n % 60:02}'}}}}"
        for n in range(100)
    )
    entries = "\n".join(
        f"  - {{match: {{subdomain: '*-{n}'}}, schedule: s{n}}}" for n in range(100)
    )
    made = policy(read(f"schedules:\n{schedules}\ninstitutions:\n{entries}\n", "c.yaml"), DEFAULTS)
    names = [f"office-{n}-{n % 100}" for n in range(SYNCS)]
    kinds = tuple(IntegrationType)
    polls = [
        Poll(
            name,
            NOON - 30,
            (Sync("Main", kinds[n % 3], "Dentrix", NOON - AGES[n % 8], NOON - AGES[n % 7]),),
        )
        for n, name in enumerate(names)
    ]
    inventory = Inventory({name: office(name) for name in names})
    return Fleet().watching(inventory, made).after(polls, made)


async def test_a_page_over_ten_thousand_syncs_stays_quick(site: Site) -> None:
    site.world.fleet = crowd()

    spent = []
    for _ in range(7):
        site.now += 15
        started = time.process_time()
        assert "10000 syncs in 10000 institutions" in await site.text("/?text=office-77")
        spent.append(time.process_time() - started)

    # 0.08 s were measured. Processor time, and twice as much as a page may take: neither a
    # busy nor a slow machine shall fail what is quick.
    assert min(spent) < 0.2
