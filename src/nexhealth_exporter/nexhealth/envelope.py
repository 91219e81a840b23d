"""The envelope around every answer, and its entries one by one.

An envelope that cannot be read is `Malformed`; an entry that cannot be read spoils only itself.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw

from nexhealth_exporter.errors import DECODING, Malformed, TooLarge
from nexhealth_exporter.nexhealth.limits import (
    MOST_ENTRIES,
    MOST_ENTRY_BYTES,
    MOST_VALUES,
    Bytes,
    checked_values,
    holds_more,
    too_many_values,
)
from nexhealth_exporter.nexhealth.scalars import flag, integer, words
from nexhealth_exporter.nexhealth.splitting import PIECE, split

SLICE = 250
SLICE_BYTES = 256 * 1024
"""Entries, and their bytes, that are decoded before the event loop gets its turn."""

Why = Literal["malformed", "incomplete", "too_large", "too_many"]
"""Why entries are rejected: they cannot be decoded; they do not say whose or what they are; each
is larger than an entry may be; one institution has more than it may have."""

Reject = Callable[[int, Why, str | None], None]
"""Called once per reason, with the number of entries of an answer that are left out, the reason,
and the subdomain if the entries themselves show that all are of one institution."""

_T = TypeVar("_T")

_BOM = b"\xef\xbb\xbf"
"""A byte order mark, which some proxies and servers put before JSON; a reader may ignore it."""

_MAX_WORDS_BYTES = 65536
_MOST_MENDED = 250_000
"""Backslashes in an answer that is mended."""


class Unreadable(Exception):
    """An entry that is JSON, but does not say whose or what it is."""


class _Fields(msgspec.Struct):
    code: Raw = Raw(b"null")
    description: Raw = Raw(b"null")
    error: Raw = Raw(b"null")
    count: Raw = Raw(b"null")
    page_info: Raw = Raw(b"null")
    data: Raw = Raw(b"null")


_fields = msgspec.json.Decoder(_Fields)
_anything = msgspec.json.Decoder()
_raws = msgspec.json.Decoder(list[Raw])

_NULL = Raw(b"null")  # a decoded Raw equals no bytes


class Envelope(msgspec.Struct, frozen=True):
    """What surrounds the entries: whether the API reports success, its messages, the raw entries.

    `data` is None when there is none. `is_cut` is True if the API counts more entries than it
    sent, or speaks of a next page.
    """

    ok: bool
    description: str
    error: str
    data: Sequence[Raw] | None
    is_cut: bool


def decode(body: Bytes) -> Envelope:
    """The envelope of an answer. Raises Malformed, and TooLarge for too many values or entries."""
    if holds_more(body, MOST_VALUES):
        raise too_many_values()
    try:
        envelope = _whole_or_mended(body)
    except DECODING as error:
        # The decoder's message may quote the answer; the kind of the error is enough.
        kind = "too deeply nested" if isinstance(error, RecursionError) else "not readable as JSON"
        raise Malformed(f"The answer is {kind}.") from None
    return _bounded(envelope)


async def decode_piecewise(body: bytearray) -> Envelope:
    """The same without a byte order mark; others have their turn while it reads a large answer."""
    if body.startswith(_BOM):
        del body[: len(_BOM)]  # without a copy
    if len(body) <= PIECE:
        return decode(body)
    for _ in checked_values(body):
        await asyncio.sleep(0)
    found = await split(body)
    if found is None:
        return decode(body)
    return _bounded(_envelope_of(_fields.decode(found.envelope), found.entries))


def _bounded(envelope: Envelope) -> Envelope:
    if envelope.data is not None and len(envelope.data) > MOST_ENTRIES:
        raise TooLarge(f"The answer holds more than {MOST_ENTRIES} entries.")
    return envelope


def _whole_or_mended(body: Bytes) -> Envelope:
    try:
        return _whole(body)
    except msgspec.DecodeError:
        if holds_more(body, _MOST_MENDED, (b"\\",)) or not _SURROGATE.search(body):
            raise
        # The decoder refuses the whole text because of one lone surrogate in a name.
        return _whole(_SURROGATE.sub(_mended, body))


def _whole(body: Bytes) -> Envelope:
    fields = _fields.decode(body)
    return _envelope_of(fields, _entries(fields.data))


def _envelope_of(fields: _Fields, data: Sequence[Raw] | None) -> Envelope:
    count = integer(_small(fields.count))
    is_short = count is not None and data is not None and count > len(data)
    return Envelope(
        ok=str(_small(fields.code)).lower() not in {"false", "0"},
        description=words(_small(fields.description)),
        error=words(_small(fields.error)),
        data=data,
        is_cut=is_short or _has_next_page(_small(fields.page_info)),
    )


def _has_next_page(page_info: object) -> bool:
    return isinstance(page_info, dict) and flag(page_info.get("has_next_page"))


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
    """The decoded value; None for one that is too large to be a message or a number."""
    if value == _NULL:
        return None
    return _anything.decode(value) if memoryview(value).nbytes <= _MAX_WORDS_BYTES else None


async def decode_all(
    envelope: Envelope, decode_entry: Callable[[Raw], _T], reject: Reject
) -> list[_T]:
    """Every entry that can be decoded. Raises Malformed when there are entries but none can."""
    decoded: list[_T] = []
    await for_each_entry(envelope, lambda raw: decoded.append(decode_entry(raw)), reject)
    return decoded


async def for_each_entry(envelope: Envelope, take: Callable[[Raw], None], reject: Reject) -> None:
    """Call `take` with every entry; for a bad one it raises Unreadable, or what decoding raises.

    Raises Malformed when there are entries but none can be taken.
    """
    if envelope.data is None:
        raise Malformed("The answer holds no data.")
    rejected: dict[Why, int] = {}
    entries = size = 0
    for raw in envelope.data:
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
    if envelope.data and sum(rejected.values()) == len(envelope.data):
        raise Malformed(f"None of the answer's {len(envelope.data)} entries can be read.")
