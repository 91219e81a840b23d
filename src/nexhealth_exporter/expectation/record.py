"""In which half hours the marks of one sync moved, for the weeks that are kept; and that packed.

Whole fleets are remembered, and most looks bring nothing that is entered here. So a record is
kept packed, in a quarter of the memory, and unpacked when there is something to be entered.
"""

import itertools
import zlib
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from nexhealth_exporter.expectation.quiet import OVERNIGHT, Quiet
from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.expectation.zone import offset_at, pieces_of_day

_LEVEL = 1
"""A higher one takes thrice the time for a tenth less."""


class Record(msgspec.Struct, frozen=True):
    """Masks of half-hour slots: bit n stands for the slot `base` + n, counted from 1970.

    `pauses` has the slots in which each direction (read, write) paused, `absences` those in which
    it was away for longer than is tolerated before a page, and `quiets` the quiet stretches of
    each, the longest first.
    """

    base: int
    active: int = 0
    silent: int = 0
    suspect: int = 0
    pauses: tuple[int, int] = (0, 0)
    quiets: tuple[tuple[Quiet, ...], tuple[Quiet, ...]] = ((), ())
    absences: tuple[int, int] = (0, 0)

    @property
    def masks(self) -> tuple[int, ...]:
        """All of them, in the order in which they are packed."""
        return (self.active, self.silent, self.suspect, *self.pauses, *self.absences)

    @classmethod
    def of(
        cls, base: int, masks: Sequence[int], quiets: tuple[tuple[Quiet, ...], tuple[Quiet, ...]]
    ) -> "Record":
        """The record with these masks; absences may lack, as in what was packed before."""
        active, silent, suspect, *pauses = masks
        read, write, gone_read, gone_write = (*pauses, 0, 0)[:4]
        return cls(base, active, silent, suspect, (read, write), quiets, (gone_read, gone_write))

    def since(self, oldest: int) -> "Record":
        """The same without what lies before that slot, so that later ones have room."""
        drop = oldest - self.base
        if drop <= 0:
            return self
        return Record.of(oldest, [mask >> drop for mask in self.masks], self.quiets)

    def packed(self) -> bytes:
        """The same, to be read by `unpacked`."""
        told = Packed(self.base, [*map(_bytes, self.masks)], self.quiets)
        return zlib.compress(_encode(told), _LEVEL)


def by_clock_of(record: Record, old: str, new: str) -> Record:
    """The record of the same moments by the wall clock of another zone."""
    masks = record.masks
    slots = max(mask.bit_length() for mask in masks)
    moved, shift = [0] * len(masks), 0
    first, last = record.base * SLOT // DAY, (record.base + slots) * SLOT // DAY
    for day in range(first - 1, last + 2):
        pieces = (*pieces_of_day(old, day), *pieces_of_day(new, day))
        edges = sorted({p.start for p in pieces} | {p.end for p in pieces})
        for start, end in itertools.pairwise(edges):
            offset = offset_at(old, start)
            shift = round((offset_at(new, start) - offset) / SLOT)
            begin = max(int((start + offset) // SLOT) - record.base, 0)
            width = int((end + offset) // SLOT) - record.base - begin
            if width <= 0:
                continue
            for number, mask in enumerate(masks):
                bits = (mask >> begin) & ((1 << width) - 1)
                to = begin + shift
                moved[number] |= bits << to if to >= 0 else bits >> -to
    active, silent, suspect, *pauses = moved
    read, write = (
        tuple(
            quiet
            if quiet.began == OVERNIGHT
            else quiet._replace(began=(quiet.began + shift) % SLOTS)
            for quiet in way
        )
        for way in record.quiets
    )
    # What two hours of one clock are by the other may be one: it has moved, or else rested.
    masks = (active, silent & ~active, suspect & ~active, *pauses)
    return Record.of(record.base, masks, (read, write))


class Packed(msgspec.Struct, array_like=True):
    """What is compressed: the masks as bytes."""

    base: int
    masks: list[bytes]
    quiets: tuple[tuple[Quiet, ...], tuple[Quiet, ...]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Packed).decode


@lru_cache(maxsize=8)  # all that are met in one week begin with the same
def unpacked(data: bytes) -> Record:
    """The record that was packed. Raises zlib.error or a ValueError."""
    told = _decode(zlib.decompress(data))
    return Record.of(told.base, [*map(int.from_bytes, told.masks)], told.quiets)


def _bytes(mask: int) -> bytes:
    return mask.to_bytes((mask.bit_length() + 7) // 8)
