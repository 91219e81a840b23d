"""The entries of a large answer, split off in pieces: others have their turn between.

The decoder splits only whole JSON texts. So the body is cut where an entry seems to begin, and a
cut is believed when the decoder reads what lies before it as whole entries: then the cut is
between two entries, whatever they hold. Answers of which this does not hold, or which are no JSON,
give None here, and are read in one go.
"""

import asyncio
import re

import msgspec
from msgspec import Raw

from nexhealth_exporter.errors import DECODING

PIECE = 256 * 1024
"""Bytes that are split before others get their turn."""

_STRETCH = 1024 * 1024
"""Bytes in which a cut is looked for before others get their turn."""

_MOST_TRIES = 3
"""Cuts that turn out to be within an entry before the body is given up."""

_FARTHEST = 64 * 1024
"""Bytes within which `data` begins."""

_BEGIN = re.compile(rb'"data"\s*:\s*(?=(\[)\s*(\{\s*"[^"\\]{1,50}"))')
"""Before the array of entries, of which the first begins with that key."""

_INSTEAD = b'"the entries were here"'
_FIRST = b'{"data":'


class Split(msgspec.Struct):
    """The envelope as JSON without its entries, and the entries."""

    envelope: bytes | bytearray
    entries: list[Raw]


class _Data(msgspec.Struct):
    data: Raw = Raw(b"null")


_data = msgspec.json.Decoder(_Data)
_raws = msgspec.json.Decoder(list[Raw])


async def split(body: bytearray, piece: int = PIECE) -> Split | None:
    """The body of an answer in two, or None where it cannot be told apart piece by piece.

    The entries lie in the body itself, in which brackets have taken the place of the marks
    around each piece: copies would be as large again. With None the body is as it was.
    """
    replaced: dict[int, int] = {}
    found = await _in_pieces(body, piece, replaced)
    if found is None:
        for at, mark in replaced.items():
            body[at] = mark
    return found


async def _in_pieces(body: bytearray, piece: int, replaced: dict[int, int]) -> Split | None:
    """The same; `replaced` is told the marks that were replaced, by their places."""
    begin = _BEGIN.search(body, 0, _FARTHEST)
    if begin is None:
        return None
    next_entry = re.compile(rb",\s*+(?=" + re.escape(begin[2]) + rb")")
    entries: list[Raw] = []
    at, tries = begin.start(1) + 1, 0
    try:
        while cut := await _cut(next_entry, body, at + piece * (1 + tries)):
            some = _between(body, at - 1, cut.start(), replaced)
            if some is None:
                tries += 1
                if tries == _MOST_TRIES:
                    return None
                continue
            entries += some
            at, tries = cut.end(), 0
            await asyncio.sleep(0)
        rest = b"[" + body[at:]
        last = bytes(_data.decode(_FIRST + rest).data)
        await asyncio.sleep(0)
        if not rest.startswith(last):
            return None  # there are two of `data`
        entries += _raws.decode(last)
        await asyncio.sleep(0)
        envelope = body[: begin.end()] + _INSTEAD + rest[len(last) :]
        if _data.decode(envelope).data != Raw(_INSTEAD):
            return None  # there are two, or it is not the envelope's own
    except DECODING:
        return None
    return Split(envelope, entries)


async def _cut(
    next_entry: re.Pattern[bytes], body: bytearray, start: int
) -> re.Match[bytes] | None:
    """The first cut from `start` on that lies within one stretch; others have their turn between.

    One that lies across two is missed, and the piece is larger for it.
    """
    for at in range(start, len(body), _STRETCH):
        if cut := next_entry.search(body, at, at + _STRETCH):
            return cut
        await asyncio.sleep(0)
    return None


def _between(body: bytearray, first: int, last: int, replaced: dict[int, int]) -> list[Raw] | None:
    """The entries between two marks; None, and the marks as they were, if these are none."""
    marks = body[first], body[last]
    body[first], body[last] = b"[]"
    try:
        entries = _raws.decode(memoryview(body)[first : last + 1])
    except DECODING:
        body[first], body[last] = marks
        return None
    for at, mark in zip((first, last), marks, strict=True):
        # The mark before a piece may be the bracket of the piece before it.
        replaced.setdefault(at, mark)
    return entries
