"""The past of the demo's fleet as OpenMetrics, one file a day, for `promtool` to load.

Each step of the past is judged and drawn as it would have been then: from the marks that the
simulated API would have reported, with the same fleet and the same page.
"""

import re
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import msgspec
from rich.progress import Progress

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Fleet, Policy, Round
from nexhealth_exporter.model import Inventory, Poll
from nexhealth_exporter.nexhealth import envelope, payload
from nexhealth_exporter.simulator import Office, answers

DAY = 86400.0
STEP = 300.0
"""Seconds between samples: the lookback of Prometheus is no longer."""

_LABELLED = re.compile(rb"^(\w+)\{(.*)$", re.MULTILINE)
_BARE = re.compile(rb"^(\w+) (.*)$", re.MULTILINE)
_COMMENT = re.compile(rb"^#.*\n", re.MULTILINE)

_LEFT_OUT = ("last_read", "last_write")
"""Metrics that no dashboard of the past needs; they would be a sixth of the files."""

NAMES = frozenset(
    family.name for family in table.OF_FLEET if not any(word in family.name for word in _LEFT_OUT)
)


def history_files(folder: Path, days: int) -> list[Path]:
    """The files of so many days, oldest first, in a folder that is made if it lacks.

    Raises OSError if one of them cannot be written, so that nobody waits for that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"nexhealth-{day + 1:02d}.om" for day in range(days)]
    for path in files:
        path.open("ab").close()
    return files


async def write_history(
    offices: Iterable[Office],
    policy: Policy,
    files: Sequence[Path],
    *,
    known: Fleet,
    until: float,
    target: str,
) -> Fleet:
    """Write one day into each of the files, oldest first, up to the instant `until`.

    Returns the fleet at that instant. `known` remembers what was learned before. Samples have the
    labels that a scrape of `target` (host:port) would add.
    """
    past = _Past(tuple(offices), policy, known, target)
    days = len(files)
    with Progress(disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task(f"{days} days of history", total=days)
        for day, path in zip(range(days, 0, -1), files, strict=True):
            with path.open("wb") as file:
                async for page in past.pages(until - day * DAY, until - (day - 1) * DAY):
                    file.write(page)
                file.write(b"# EOF\n")
            progress.advance(bar)
    return past.fleet


class _Past:
    """The fleet of the past, moved forwards step by step."""

    def __init__(
        self, offices: tuple[Office, ...], policy: Policy, known: Fleet, target: str
    ) -> None:
        self._offices = offices
        self._policy = policy
        self._scraped = f'instance="{target}",job="nexhealth-exporter"'.encode()
        self._page = Page(OwnMetrics(""))
        self.fleet = Fleet(remembered=dict(known.memory()))

    async def pages(self, start: float, end: float) -> AsyncIterator[bytes]:
        """The samples of each step from `start` until `end`, without HELP and TYPE."""
        if not self.fleet.standings:
            self.fleet = self.fleet.watching(await self._inventory(), self._policy)
        for step in range(int((end - start) / STEP)):
            yield await self._sampled(start + step * STEP)

    async def _inventory(self) -> Inventory:
        listed = [answers.institution(office, ehr=False) for office in self._offices]
        located = [answers.located(office, inactive=None) for office in self._offices]
        return payload.merged(
            await payload.institutions(_answer(listed), _reject),
            await payload.institutions(_answer(located), _reject),
        )

    async def _sampled(self, now: float) -> bytes:
        told = [
            answers.sync_entry(office, sync, sync.behaviour.marks_at(now), now, ehr=False)
            for office in self._offices
            for sync in office.syncs
        ]
        inventory = Inventory({s.institution.subdomain: s.institution for s in self.fleet})
        syncs = await payload.fleet(_answer(told), inventory, _reject)
        polls = [
            Poll(subdomain, now, syncs.get(subdomain, ())) for subdomain in inventory.institutions
        ]
        known = self.fleet.after(polls, self._policy).with_incidents(now)
        self.fleet = known.after_round(Round(now, 1.0, is_up=True))
        chunks = await self._page.write(self.fleet, now, openmetrics=False, names=NAMES, gzip=False)
        text = _COMMENT.sub(b"", b"".join(chunks))
        at = b" %d" % int(now)
        text = _LABELLED.sub(rb"\1{%b,\2%b" % (self._scraped, at), text)
        return _BARE.sub(rb"\1{%b} \2%b" % (self._scraped, at), text)


def _answer(data: list[answers.Json]) -> envelope.Envelope:
    return envelope.decode(msgspec.json.encode(answers.success(data, len(data), [])))


def _reject(entries: int, why: envelope.Why, institution: str | None) -> None:
    raise AssertionError(f"the simulated API gave {entries} entries that are {why}: {institution}")
