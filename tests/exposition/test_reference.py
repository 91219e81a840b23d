"""The slow page that is there for diagnosis says what the fast one says."""

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.exposition.reference import ReferencePage
from nexhealth_exporter.fleet import Fleet, Round
from nexhealth_exporter.model import Poll, Sync
from tests.exposition.fleets import NOW, fleet_of, policy
from tests.exposition.reading import OF_FLEET, assert_same, families, samples, text_of
from tests.exposition.test_equal import NAMES, ORDINARY, SYNCS, WAITS

ONE = frozenset({"nexhealth_sync_read_lag_seconds", "nexhealth_up", "nexhealth_institutions"})


async def both(fleet: Fleet, now: float, **how: object) -> list[str]:
    pages = Page(OwnMetrics("1")), ReferencePage(OwnMetrics("1"))
    return [await text_of(page, fleet, now, **how) for page in pages]  # type: ignore[arg-type]


@given(
    offices=st.dictionaries(NAMES.filter(str.isprintable), SYNCS, max_size=3),
    salt=st.integers(0, 44),
    wait=WAITS,
    openmetrics=st.booleans(),
)
@example(offices=ORDINARY, salt=1, wait=61.0, openmetrics=False)
@settings(max_examples=50)
def test_both_pages_hold_the_same_samples_whatever_the_labels_are(
    offices: dict[str, tuple[Sync, ...]], salt: int, wait: float, openmetrics: bool
) -> None:
    polls = [Poll(name, NOW, syncs) for name, syncs in offices.items()]
    fleet = (
        fleet_of(polls, policy(salt)).with_incidents(NOW).after_round(Round(NOW, 1.5, is_up=True))
    )
    how = {"names": OF_FLEET, "openmetrics": openmetrics}
    fast, slow = (
        samples(families(text, openmetrics=openmetrics))
        for text in asyncio.run(both(fleet, NOW + 5 + wait, **how))
    )
    assert_same(fast, slow)


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("is_gzip", [False, True])
async def test_both_pages_have_the_same_families_in_every_form(
    openmetrics: bool, is_gzip: bool
) -> None:
    fleet = fleet_of([Poll("office", NOW, (Sync("Main", None, read_at=NOW - 60),))])
    for names in (frozenset[str](), ONE):
        fast, slow = await both(fleet, NOW, openmetrics=openmetrics, names=names, is_gzip=is_gzip)
        found, expected = (
            {
                (f.name, f.type, f.documentation, len(f.samples))
                for f in families(text, openmetrics=openmetrics)
                if f.samples
            }
            for text in (fast, slow)
        )
        assert found == expected
        assert fast.endswith("# EOF\n") is slow.endswith("# EOF\n") is openmetrics
