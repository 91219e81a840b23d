"""The page that Prometheus reads, drawn from a fleet at an instant.

What has not changed since the previous page is kept compressed; what depends on the clock is
computed anew. The event loop gets its turn after every millisecond of work.
"""

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Sequence
from weakref import ref

import msgspec

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.block import COLUMNS, Block
from nexhealth_exporter.exposition.deflate import Packer, Part, gzipped, part, plain
from nexhealth_exporter.exposition.own import END, OwnMetrics
from nexhealth_exporter.exposition.summary import summary
from nexhealth_exporter.exposition.text import heading
from nexhealth_exporter.fleet import Fleet, Standing

BLOCK_SIZE = 512
"""Institutions per block; with larger blocks, each change redraws more."""

GRID = 8
"""The instant of a page is rounded down to an eighth of a second.

Eighths are exact in binary, so lags have few digits; and scrapes at about the same time get the
same instant, and so the same page.
"""

SLICE_SECONDS = 0.001

Drawing = dict[str, list[Part]]
"""The parts of each family, heading first, by the family's name."""


class Page:
    """Draws `/metrics`. `block_size` is the number of institutions per block."""

    def __init__(self, own: OwnMetrics, *, block_size: int = BLOCK_SIZE) -> None:
        self._own = own
        self._block_size = block_size
        self._headings = {family.name: part(heading(family)) for family in table.OF_FLEET}
        self._blocks: list[Block] = []
        self._drawn: Callable[[], Fleet | None] = _nothing
        """Gives the fleet of the last page, if that was finished and the fleet still exists."""
        self._lock = asyncio.Lock()
        self._shared: dict[Hashable, _Shared] = {}

    async def write(
        self, fleet: Fleet, now: float, *, openmetrics: bool, names: frozenset[str], gzip: bool
    ) -> Sequence[bytes]:
        """The page as chunks of at most 256 KiB; together one gzip stream if `gzip`.

        `names` are the metrics that are wanted; an empty set means all of them. Overlapping scrapes
        for the same instant, names and format share one page, even if a poll came in between.
        """
        instant = math.floor(now * GRID) / GRID
        wanted = (instant, openmetrics, names, gzip)
        shared = self._shared.get(wanted)
        if shared is None:
            written = self._write(fleet, instant, openmetrics=openmetrics, names=names, gzip=gzip)
            shared = self._shared[wanted] = _Shared(asyncio.create_task(written))
        shared.waiting += 1
        try:
            # A client that disconnects must not cancel the page for the others.
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                # But if none is left, nobody wants it, and it would delay other pages.
                shared.task.cancel()
                del self._shared[wanted]

    async def _write(
        self, fleet: Fleet, instant: float, *, openmetrics: bool, names: frozenset[str], gzip: bool
    ) -> Sequence[bytes]:
        drawing = await self._draw(fleet, instant)
        parts = [p for name, its in drawing.items() if not names or name in names for p in its]
        parts.append(part(self._own.page(names, openmetrics=openmetrics)))
        if openmetrics:
            parts.append(part(END))
        packer, time_slice = Packer(), _TimeSlice()
        for data in gzipped(parts) if gzip else plain(parts):
            packer.add(data)
            if time_slice.is_over:
                await time_slice.yield_to_loop()
        return packer.chunks()

    async def _draw(self, fleet: Fleet, instant: float) -> Drawing:
        # One at a time: the first draws what overlapping scrapes have in common.
        async with self._lock:
            time_slice = _TimeSlice()
            groups = self._groups(fleet, instant)
            for block, group in zip(self._blocks, groups, strict=True):
                for _ in block.steps(group, instant):
                    if time_slice.is_over:
                        await time_slice.yield_to_loop()
            self._drawn = ref(fleet)
            return self._gathered(fleet)

    def _groups(self, fleet: Fleet, instant: float) -> Sequence[Sequence[Standing] | None]:
        """The institutions of each block; None for all blocks if none of them needs its own.

        To go through thousands of standings, scattered over memory, takes a tenth of the time of a
        page.
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


class _Shared(msgspec.Struct):
    """A page that is being drawn, and the number of requests that wait for it."""

    task: asyncio.Task[Sequence[bytes]]
    waiting: int = 0


class _TimeSlice:
    """A slice of work, after which the event loop gets its turn."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def is_over(self) -> bool:
        return time.perf_counter() - self._began > SLICE_SECONDS

    async def yield_to_loop(self) -> None:
        await asyncio.sleep(0)
        self._began = time.perf_counter()
