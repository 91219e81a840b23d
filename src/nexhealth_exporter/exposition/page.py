"""The page that Prometheus reads, drawn of a fleet at an instant.

What did not change since the page before is kept compressed; what depends on the clock is
computed anew. The event loop gets its turn after every millisecond of work.
"""

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from weakref import ref

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.block import COLUMNS, Block
from nexhealth_exporter.exposition.deflate import Packer, Part, gzipped, part, plain
from nexhealth_exporter.exposition.own import END, OwnMetrics
from nexhealth_exporter.exposition.summary import summary
from nexhealth_exporter.exposition.text import heading
from nexhealth_exporter.fleet import Fleet, Standing

BLOCK_SIZE = 512
"""Institutions whose lines are kept together: of more, more is redrawn for each change."""

GRID = 8
"""The instant of a page is rounded down to an eighth of a second.

Eighths are exact in binary, so lags have few digits; and scrapes that come together have
the same instant, and so the same page.
"""

SLICE_SECONDS = 0.001

Drawing = dict[str, list[Part]]
"""The parts of each family, heading first, by the family's name."""


class Page:
    """What `/metrics` answers. `block_size` is how many institutions are drawn together."""

    def __init__(self, own: OwnMetrics, *, block_size: int = BLOCK_SIZE) -> None:
        self._own = own
        self._block_size = block_size
        self._headings = {family.name: part(heading(family)) for family in table.OF_FLEET}
        self._blocks: list[Block] = []
        self._drawn: Callable[[], Fleet | None] = _nothing
        """Gives the fleet that was drawn last, if it was to the end and still exists."""
        self._lock = asyncio.Lock()
        self._under_way: dict[Hashable, _Shared] = {}

    async def write(
        self, fleet: Fleet, now: float, *, openmetrics: bool, names: frozenset[str], gzip: bool
    ) -> Sequence[bytes]:
        """The page as chunks of at most 256 KiB; together one gzip stream if `gzip`.

        `names` are the metrics that are wanted; an empty set means all of them. Scrapes of one
        instant that overlap and want the same get the same, also when a poll came between.
        """
        instant = math.floor(now * GRID) / GRID
        wanted = (instant, openmetrics, names, gzip)
        shared = self._under_way.get(wanted)
        if shared is None:
            written = self._write(fleet, instant, openmetrics=openmetrics, names=names, gzip=gzip)
            shared = self._under_way[wanted] = _Shared(asyncio.create_task(written))
        shared.waiting += 1
        try:
            # Whoever goes away before the end must not take it from the others.
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                # But when all have gone, it is drawn for nobody, and others would wait for that.
                shared.task.cancel()
                del self._under_way[wanted]

    async def _write(
        self, fleet: Fleet, instant: float, *, openmetrics: bool, names: frozenset[str], gzip: bool
    ) -> Sequence[bytes]:
        drawing = await self._draw(fleet, instant)
        parts = [p for name, its in drawing.items() if not names or name in names for p in its]
        parts.append(part(self._own.page(names, openmetrics=openmetrics)))
        if openmetrics:
            parts.append(part(END))
        packer, turns = Packer(), _Turns()
        for data in gzipped(parts) if gzip else plain(parts):
            packer.add(data)
            if turns.is_over:
                await turns.pass_on()
        return packer.chunks()

    async def _draw(self, fleet: Fleet, instant: float) -> Drawing:
        # One at a time: what overlapping scrapes have in common is then drawn by the first.
        async with self._lock:
            turns = _Turns()
            groups = self._groups(fleet, instant)
            for block, group in zip(self._blocks, groups, strict=True):
                for _ in block.steps(group, instant):
                    if turns.is_over:
                        await turns.pass_on()
            self._drawn = ref(fleet)
            return self._gathered(fleet)

    def _groups(self, fleet: Fleet, instant: float) -> Sequence[Sequence[Standing] | None]:
        """The institutions of each block, None where nobody need be looked at.

        Fetching thousands of them from all over the memory takes a tenth of a page of kept values.
        """
        if self._drawn() is fleet and all(block.holds(instant) for block in self._blocks):
            return [None] * len(self._blocks)
        self._drawn = _nothing
        standings, size = list(fleet), self._block_size
        groups = [standings[i : i + size] for i in range(0, len(standings), size)]
        del self._blocks[len(groups) :]
        self._blocks += [Block(instant) for _ in groups[len(self._blocks) :]]
        return groups

    def _gathered(self, fleet: Fleet) -> Drawing:
        drawing = {name: [its_heading] for name, its_heading in self._headings.items()}
        for column in COLUMNS:
            drawing[column.family.name] += [block.parts[column] for block in self._blocks]
        fallbacks = sum(block.fallbacks for block in self._blocks)
        for name, text in summary(fleet, fallbacks).items():
            drawing[name] = [part(text)]
        return drawing


def _nothing() -> None:
    """No fleet."""


@dataclass(slots=True)
class _Shared:
    """A page that is being drawn, and how many wait for it."""

    task: asyncio.Task[Sequence[bytes]]
    waiting: int = 0


class _Turns:
    """Slices of work between which the event loop does what else is due."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def is_over(self) -> bool:
        return time.perf_counter() - self._began > SLICE_SECONDS

    async def pass_on(self) -> None:
        await asyncio.sleep(0)
        self._began = time.perf_counter()
