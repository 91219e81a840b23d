"""What `make soak` does for long, for some seconds; and that it notices what it is there for."""

import pytest

from nexhealth_exporter.plan import Scope
from tests.faults.soak import Fleet, Size, grown, soaked, told

FAST = Fleet(offices=60, interval=1.0, inventory=1.0, scrape=0.5, compare=0.5, timeout=2.0)


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_a_short_soak_shows_nothing_untrue_and_leaves_nothing_uncounted() -> None:
    print(await soaked(15, FAST, Scope.INSTITUTION, 1, tell=print))  # noqa: T201 - the figures


def sizes(memory: float, descriptors: float) -> list[Size]:
    """An hour in which so much is gained."""
    return [
        Size(at, 1e8 + memory * at / 3600, 20 + at % 7 + descriptors * at / 3600)
        for at in range(0, 3600, 10)
    ]


@pytest.mark.parametrize(
    ("memory", "descriptors", "found"),
    [
        (0.0, 0.0, []),
        (5e6, 5.0, []),
        (2e7, 0.0, ["memory grew from 102.5 to 112.0 MiB"]),
        (-5e7, 20.0, ["file descriptors grew from 25 to 35"]),
    ],
)
def test_what_grows_is_noticed(memory: float, descriptors: float, found: list[str]) -> None:
    assert grown(sizes(memory, descriptors)) == found


def test_what_opens_and_closes_has_not_grown() -> None:
    busy = [Size(at, 1e8, 70 if at % 600 < 300 else 20) for at in range(0, 3600, 10)]
    assert grown(busy) == []


def test_failures_are_read_from_the_log() -> None:
    log = """
ts=2026-11-26T05:00:00.000Z level=info logger=rounds msg="round finished" institutions=3
ts=2026-11-26T05:00:01.000Z msg="round finished with failures" failed_auth=2 failed_tls=1
ts=2026-11-26T05:00:02.000Z level=warning msg="inventory failed" reason=auth error="no"
ts=2026-11-26T05:00:03.000Z level=warning msg="fleet call failed" reason=timeout
ts=2026-11-26T05:00:04.000Z level=info msg="inventory incomplete" endpoint=locations reason=other
ts=2026-11-26T05:00:05.000Z level=info msg="inventory incomplete" reason=forbidden error="no"
"""
    assert told(log) == {"auth": 3, "tls": 1, "other": 1}
