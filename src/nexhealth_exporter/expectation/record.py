"""In which half hours the marks of one sync moved, for the weeks that are kept; and that packed.

Whole fleets are remembered, and most looks bring nothing that is entered here. So a record is
kept packed, in a quarter of the memory, and unpacked when there is something to be entered.
"""

import zlib

import msgspec

from nexhealth_exporter.expectation.quiet import Quiet

_LEVEL = 1
"""A higher one takes thrice the time for a tenth less."""


class Record(msgspec.Struct, frozen=True):
    """Masks of half-hour slots: bit n stands for the slot `base` + n, counted from 1970.

    `pauses` has the slots in which each direction (read, write) paused, `quiets` the quiet
    stretches of each, the longest first.
    """

    base: int
    active: int = 0
    silent: int = 0
    suspect: int = 0
    pauses: tuple[int, int] = (0, 0)
    quiets: tuple[tuple[Quiet, ...], tuple[Quiet, ...]] = ((), ())

    def packed(self) -> bytes:
        """The same, to be read by `unpacked`."""
        masks = (self.active, self.silent, self.suspect, *self.pauses)
        told = Packed(self.base, [*map(_bytes, masks)], self.quiets)
        return zlib.compress(_encode(told), _LEVEL)


class Packed(msgspec.Struct, array_like=True):
    """What is compressed: the five masks as bytes."""

    base: int
    masks: list[bytes]
    quiets: tuple[tuple[Quiet, ...], tuple[Quiet, ...]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Packed).decode


def unpacked(data: bytes) -> Record:
    """The record that was packed. Raises zlib.error or a ValueError."""
    told = _decode(zlib.decompress(data))
    active, silent, suspect, reads, writes = map(int.from_bytes, told.masks)
    return Record(told.base, active, silent, suspect, (reads, writes), told.quiets)


def _bytes(mask: int) -> bytes:
    return mask.to_bytes((mask.bit_length() + 7) // 8)
