"""Splits a large answer into its entries piece by piece, so that the event loop gets its turn.

The decoder splits only complete JSON texts. So the body is cut where an entry seems to begin, and
the cut is accepted if the decoder reads what lies before it as complete entries: then the cut is
between two entries, whatever they hold. Answers that cannot be cut in this way, or that are not
JSON, give None here and are decoded in one go.
"""

import asyncio
import re

import msgspec
from msgspec import Raw

from nexhealth_exporter.errors import DECODING

PIECE = 256 * 1024
"""Bytes that are split before the event loop gets its turn."""

_STRETCH = 1024 * 1024
"""Bytes in which a cut is searched for before the event loop gets its turn."""

_MOST_TRIES = 3
"""After so many cuts in a row that turn out to lie within an entry, the body is not split."""

_FARTHEST = 64 * 1024
"""`data` must begin within so many bytes."""

_BEGIN = re.compile(rb'"data"\s*:\s*(?=(\[)\s*(\{\s*"[^"\\]{1,50}"))')
"""The position of the array of entries, and the first key of its first entry."""

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
    """Envelope and entries of an answer, or None if it cannot be split piece by piece.

    The entries are views of the body, to avoid a copy; in it, brackets have replaced the commas
    around each piece. With None, the body is unchanged.
    """
    replaced: dict[int, int] = {}
    found = await _in_pieces(body, piece, replaced)
    if found is None:
        for at, mark in replaced.items():
            body[at] = mark
    return found


async def _in_pieces(body: bytearray, piece: int, replaced: dict[int, int]) -> Split | None:
    """The same; notes in `replaced` which bytes were replaced, by position."""
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
    """The first cut from `start` on; the event loop gets its turn after each stretch.

    A cut that lies across two stretches is missed, which makes the piece larger.
    """
    for at in range(start, len(body), _STRETCH):
        if cut := next_entry.search(body, at, at + _STRETCH):
            return cut
        await asyncio.sleep(0)
    return None


def _between(body: bytearray, first: int, last: int, replaced: dict[int, int]) -> list[Raw] | None:
    """The entries between two commas or brackets, or None with the body unchanged."""
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
