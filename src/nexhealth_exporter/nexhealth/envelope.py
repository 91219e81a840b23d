"""The envelope around every answer, and its entries one by one.

An envelope that cannot be read is `Malformed`; an entry that cannot be read spoils itself only.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw

from nexhealth_exporter.errors import DECODING, Malformed, TooLarge
from nexhealth_exporter.nexhealth.scalars import integer, words
from nexhealth_exporter.nexhealth.splitting import PIECE, split

SLICE = 250
SLICE_BYTES = 256 * 1024
"""Entries, and their bytes, that are decoded before others get their turn on the event loop."""

MOST_VALUES = 5_000_000
MOST_ENTRIES = 200_000
"""What an answer may hold: each value becomes an object that is much larger than its bytes.

An entry of the API has some 25 values, so that neither limit is met before the other.
"""

MOST_ENTRY_BYTES = 1024 * 1024
"""An entry is decoded in one go; one that is as large as a whole answer may be is unreadable."""

Bytes = bytes | bytearray

MARKS = (b",", b"[", b"{")
"""What stands before or after each value."""

Why = Literal["malformed", "incomplete", "too_large", "too_many"]
"""Why entries are rejected: they cannot be decoded; they lack what tells whose or what they are;
each is larger than an entry may be; one institution has more than it may have."""


Reject = Callable[[int, Why, str | None], None]
"""Told how many entries of an answer are left out and why, once for each reason that there is; the
subdomain where they are of one institution, known from the entries themselves."""

_T = TypeVar("_T")

_MAX_WORDS_BYTES = 65536
_MOST_MENDED = 250_000
"""Backslashes in an answer that is mended."""

_COUNTED = 1024 * 1024
"""Bytes that are counted before the count is looked at."""


class Unreadable(Exception):
    """An entry that is JSON, but lacks what tells whose or what it is."""


class _Envelope(msgspec.Struct):
    code: Raw = Raw(b"null")
    description: Raw = Raw(b"null")
    error: Raw = Raw(b"null")
    count: Raw = Raw(b"null")
    data: Raw = Raw(b"null")


_envelope = msgspec.json.Decoder(_Envelope)
_anything = msgspec.json.Decoder()
_raws = msgspec.json.Decoder(list[Raw])

_NULL = Raw(b"null")  # a decoded Raw equals no bytes


class Answer(msgspec.Struct, frozen=True):
    """An envelope: whether the API says that it succeeded, its words, its entries as bytes.

    `data` is None when there is none. `is_cut` tells that the API counts more entries
    than it sent.
    """

    ok: bool
    description: str
    error: str
    data: Sequence[Raw] | None
    is_cut: bool


def answer(body: Bytes) -> Answer:
    """The envelope of an answer. Raises Malformed, and TooLarge for too many values."""
    if holds_more(body, MOST_VALUES):
        raise _too_many_values()
    try:
        found = _whole_or_mended(body)
    except DECODING as error:
        # The decoder's own words may quote the answer; its kind tells enough.
        kind = "too deeply nested" if isinstance(error, RecursionError) else "not readable as JSON"
        raise Malformed(f"The answer is {kind}.") from None
    return _bounded(found)


async def piecewise(body: bytearray) -> Answer:
    """The same; others have their turn while a large answer is taken apart."""
    if len(body) <= PIECE:
        return answer(body)
    for number in _counts(body, MARKS):
        if number > MOST_VALUES:
            raise _too_many_values()
        await asyncio.sleep(0)
    found = await split(body)
    if found is None:
        return answer(body)
    return _bounded(_told(_envelope.decode(found.envelope), found.entries))


def _bounded(found: Answer) -> Answer:
    if found.data is not None and len(found.data) > MOST_ENTRIES:
        raise TooLarge(f"The answer holds more than {MOST_ENTRIES} entries.")
    return found


def _too_many_values() -> TooLarge:
    return TooLarge(f"The answer holds more than {MOST_VALUES} values.")


def holds_more(json: Bytes, values: int, marks: Sequence[bytes] = MARKS) -> bool:
    """Whether it may hold more values: by the marks before or after each, wherever they stand."""
    return len(json) > values and any(number > values for number in _counts(json, marks))


def _counts(json: Bytes, marks: Sequence[bytes]) -> Iterator[int]:
    """How many marks there are up to the end of each stretch."""
    number = 0
    for start in range(0, len(json), _COUNTED):
        number += sum(json.count(mark, start, start + _COUNTED) for mark in marks)
        yield number


def _whole_or_mended(body: Bytes) -> Answer:
    try:
        return _answer(body)
    except msgspec.DecodeError:
        if holds_more(body, _MOST_MENDED, (b"\\",)) or not _SURROGATE.search(body):
            raise
        # The decoder refuses the whole text for half a character in one name.
        return _answer(_SURROGATE.sub(_mended, body))


def _answer(body: Bytes) -> Answer:
    envelope = _envelope.decode(body)
    return _told(envelope, _entries(envelope.data))


def _told(envelope: _Envelope, data: Sequence[Raw] | None) -> Answer:
    count = integer(_small(envelope.count))
    return Answer(
        ok=str(_small(envelope.code)).lower() not in {"false", "0"},
        description=words(_small(envelope.description)),
        error=words(_small(envelope.error)),
        data=data,
        is_cut=count is not None and data is not None and count > len(data),
    )


# It begins with a literal, so that megabytes without a backslash are skipped at once.
_SURROGATE = re.compile(
    rb"(\\(?<!\\\\)(?:\\\\)*+)"
    rb"(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""Escapes of surrogates: two that make a character (group 2), or one alone."""


def _mended(found: re.Match[bytes]) -> bytes:
    return found[1] + (found[2] or b"ufffd")


def _entries(data: Raw) -> Sequence[Raw] | None:
    """The elements of `data`; an object counts as a list of one."""
    if data == _NULL:
        return None
    try:
        return _raws.decode(data)
    except msgspec.ValidationError:
        return [data]


def _small(value: Raw) -> object:
    if value == _NULL:
        return None
    return _anything.decode(value) if memoryview(value).nbytes <= _MAX_WORDS_BYTES else None


async def read(found: Answer, decode: Callable[[Raw], _T], reject: Reject) -> list[_T]:
    """Every entry that can be decoded. Raises Malformed when there are entries but none can."""
    read: list[_T] = []
    await each(found, lambda raw: read.append(decode(raw)), reject)
    return read


async def each(found: Answer, take: Callable[[Raw], None], reject: Reject) -> None:
    """Have every entry taken; `take` raises Unreadable, or what decoding raises, for a bad one.

    Raises Malformed when there are entries but none can be taken.
    """
    if found.data is None:
        raise Malformed("The answer holds no data.")
    rejected: dict[Why, int] = {}
    entries = size = 0
    for raw in found.data:
        bytes_of_entry = memoryview(raw).nbytes
        why: Why | None = None
        if bytes_of_entry > MOST_ENTRY_BYTES:
            why = "too_large"
        else:
            try:
                take(raw)
            except DECODING:
                why = "malformed"
            except Unreadable:
                why = "incomplete"
        if why is not None:
            rejected[why] = rejected.get(why, 0) + 1
        entries += 1
        size += bytes_of_entry
        if entries >= SLICE or size >= SLICE_BYTES:
            entries, size = 0, 0
            await asyncio.sleep(0)
    for reason, number in rejected.items():
        reject(number, reason, None)
    if found.data and sum(rejected.values()) == len(found.data):
        raise Malformed(f"None of the answer's {len(found.data)} entries can be read.")
