"""NexHealth's JSON and the house's values: the only module that knows the API's words.

An answer is an envelope around entries. An envelope that cannot be read is `Malformed`; an
entry that cannot be read spoils itself only. Addresses, telephone numbers and e-mail addresses
of locations are skipped as bytes and never become values.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from nexhealth_exporter.errors import Malformed
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Sync
from nexhealth_exporter.nexhealth.naming import Source, names
from nexhealth_exporter.nexhealth.scalars import flag, instant, integer, text, words
from nexhealth_exporter.nexhealth.text import shortened

SLICE = 250
"""Entries that are decoded before others get their turn on the event loop."""

Reject = Callable[[int], None]
"""Told how many entries of an answer could not be read, if any."""

_T = TypeVar("_T")

_MAX_WORDS_BYTES = 65536
_MAX_SUBDOMAIN = 200

_COLOURS = {"green": True, "red": False}
_TYPES = {"onprem": IntegrationType.SERVER, "cloud": IntegrationType.CLOUD}
_TYPES_BY_PRODUCT = {
    **dict.fromkeys(("dentrix", "eaglesoft", "opendental"), IntegrationType.SERVER),
    **dict.fromkeys(
        (
            "athena",
            "cloud9",
            "curve2",
            "denticon",
            "dentrixascend",
            "drchrono",
            "ecw",
            "modmed",
            "nextgen",
        ),
        IntegrationType.CLOUD,
    ),
}
"""For answers that name the product but leave its type out."""


class _Unreadable(Exception):
    """An entry that is JSON, but not what it should be."""


_DECODING = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that decoding raises, whatever the bytes are."""


class _Envelope(msgspec.Struct):
    code: Raw = Raw(b"null")
    description: Raw = Raw(b"null")
    error: Raw = Raw(b"null")
    count: Raw = Raw(b"null")
    data: Raw = Raw(b"null")


class _LocationEntry(msgspec.Struct):
    id: Any = None
    tz: Any = None
    country_code: Any = None
    state: Any = None
    inactive: Any = None


class _SyncEntry(msgspec.Struct):
    institution_id: Any = None
    sync_source_name: Any = None
    emr: Any = None
    ehr: Any = None
    read_status: Any = None
    read_status_at: Any = None
    write_status: Any = None
    write_status_at: Any = None
    locations: Raw = Raw(b"null")


class _InstitutionEntry(msgspec.Struct):
    id: Any = None
    name: Any = None
    subdomain: Any = None
    country_code: Any = None
    locations: Raw = Raw(b"null")


class _TokenEntry(msgspec.Struct):
    token: Any = None


_envelope = msgspec.json.Decoder(_Envelope)
_anything = msgspec.json.Decoder()
_raws = msgspec.json.Decoder(list[Raw])
_location = msgspec.json.Decoder(_LocationEntry)
_locations = msgspec.json.Decoder(list[_LocationEntry])
_sync = msgspec.json.Decoder(_SyncEntry)
_institution = msgspec.json.Decoder(_InstitutionEntry)
_token = msgspec.json.Decoder(_TokenEntry)


@dataclass(frozen=True, slots=True)
class Answer:
    """An envelope: whether the API says that it succeeded, its words, its entries as bytes.

    `data` is None when there is none. `is_cut` tells that the API counts more entries
    than it sent.
    """

    ok: bool
    description: str
    error: str
    data: Sequence[Raw] | None
    is_cut: bool


def answer(body: bytes) -> Answer:
    """The envelope of an answer. Raises Malformed."""
    try:
        try:
            return _answer(body)
        except msgspec.DecodeError:
            if not _SURROGATE.search(body):
                raise
            # The decoder refuses the whole text for half a character in one name.
            return _answer(_SURROGATE.sub(_mended, body))
    except _DECODING as error:
        # The decoder's own words may quote the answer; its kind tells enough.
        kind = "too deeply nested" if isinstance(error, RecursionError) else "not readable as JSON"
        raise Malformed(f"The answer is {kind}.") from None


def _answer(body: bytes) -> Answer:
    envelope = _envelope.decode(body)
    data = _entries(envelope.data)
    count = integer(_small(envelope.count))
    return Answer(
        ok=str(_small(envelope.code)).lower() not in {"false", "0"},
        description=words(_small(envelope.description)),
        error=words(_small(envelope.error)),
        data=data,
        is_cut=count is not None and data is not None and count > len(data),
    )


_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*)"
    rb"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""Escapes of surrogates: two that make a character (group 2), or one alone."""


def _mended(found: re.Match[bytes]) -> bytes:
    return found[1] + (found[2] or rb"\ufffd")


def _entries(data: Raw) -> Sequence[Raw] | None:
    """The elements of `data`; an object counts as a list of one."""
    if data == b"null":
        return None
    try:
        return _raws.decode(data)
    except msgspec.ValidationError:
        return [data]


def _small(value: Raw) -> Any:  # noqa: ANN401 -- whatever the API sent
    return _anything.decode(value) if memoryview(value).nbytes <= _MAX_WORDS_BYTES else None


async def _read(found: Answer, decode: Callable[[Raw], _T], reject: Reject) -> list[_T]:
    """Every entry that can be decoded. Raises Malformed when there are entries but none can."""
    if found.data is None:
        raise Malformed("The answer holds no data.")
    read: list[_T] = []
    for number, raw in enumerate(found.data, 1):
        try:
            read.append(decode(raw))
        except (*_DECODING, _Unreadable):
            pass
        if number % SLICE == 0:
            await asyncio.sleep(0)
    if rejected := len(found.data) - len(read):
        reject(rejected)
        if not read:
            raise Malformed(f"None of the answer's {rejected} entries can be read.")
    return read


# Syncs


@dataclass(frozen=True, slots=True)
class _Entry:
    """A sync that has no name of its own yet."""

    institution_id: int | None
    source: Source
    sync: Sync


async def syncs(found: Answer, institution: Institution, reject: Reject) -> tuple[Sync, ...]:
    """The syncs of one institution. Raises Malformed."""
    entries = await _read(found, _entry, reject)
    own = [
        e
        for e in entries
        if None in {e.institution_id, institution.id} or e.institution_id == institution.id
    ]
    if entries and not own:
        raise Malformed("The answer is about other institutions.")
    return _named(own)


async def fleet(found: Answer, inventory: Inventory, reject: Reject) -> dict[str, tuple[Sync, ...]]:
    """The syncs of every institution of `inventory` that the answer mentions, by subdomain.

    Raises Malformed.
    """
    subdomains = {i.id: i.subdomain for i in inventory if i.id is not None}
    groups: dict[str, list[_Entry]] = {}
    for entry in await _read(found, _entry_of_fleet, reject):
        if entry.institution_id in subdomains:
            groups.setdefault(subdomains[entry.institution_id], []).append(entry)
    named: dict[str, tuple[Sync, ...]] = {}
    for number, (subdomain, entries) in enumerate(groups.items(), 1):
        named[subdomain] = _named(entries)
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return named


def _named(entries: Sequence[_Entry]) -> tuple[Sync, ...]:
    unique = names([entry.source for entry in entries])
    return tuple(
        replace(entry.sync, name=name) for entry, name in zip(entries, unique, strict=True)
    )


def _entry_of_fleet(raw: Raw) -> _Entry:
    entry = _entry(raw)
    if entry.institution_id is None:
        raise _Unreadable
    return entry


def _entry(raw: Raw) -> _Entry:
    told = _sync.decode(raw)
    institution_id = integer(told.institution_id)
    source_name = text(told.sync_source_name)
    emr, integration_type = _product(told.emr or told.ehr)
    locations = _sites(told.locations)
    sync = Sync(
        name="",
        integration_type=integration_type,
        emr=emr,
        read_at=instant(told.read_status_at),
        write_at=instant(told.write_status_at),
        read_up=_COLOURS.get(text(told.read_status).lower()),
        write_up=_COLOURS.get(text(told.write_status).lower()),
        locations=locations,
    )
    if institution_id is None and not source_name and sync == Sync("", None, locations=locations):
        raise _Unreadable
    lowest = min((location.id for location in locations), default=None)
    return _Entry(institution_id, Source(source_name, lowest), sync)


def _product(emr: Any) -> tuple[str, IntegrationType | None]:  # noqa: ANN401
    """The product's display name, and where it runs."""
    if not isinstance(emr, dict):
        name = text(emr)
        return shortened(name), _TYPES_BY_PRODUCT.get(name.lower())
    name = text(emr.get("name"))
    display_name = text(emr.get("display_name")) or name
    kind = text(emr.get("type")).lower()
    known = _TYPES.get(kind) if kind else _TYPES_BY_PRODUCT.get(name.lower())
    return shortened(display_name), known


# Institutions and locations


async def institutions(found: Answer, reject: Reject) -> list[Institution]:
    """The institutions of `/institutions` or `/locations`, with their locations.

    Raises Malformed.
    """
    return await _read(found, _listed, reject)


def merged(listed: Iterable[Institution], located: Iterable[Institution]) -> Inventory:
    """One inventory of what both endpoints tell; `located` knows the locations better."""
    found = {institution.subdomain: institution for institution in listed}
    for institution in located:
        known = found.get(institution.subdomain, institution)
        locations = {location.id: location for location in known.locations}
        locations |= {location.id: location for location in institution.locations}
        found[institution.subdomain] = replace(
            known,
            country=known.country or institution.country,
            locations=tuple(locations.values()),
        )
    return Inventory(found)


def _listed(raw: Raw) -> Institution:
    told = _institution.decode(raw)
    # It is asked for as it is: what would have to be cleaned is no subdomain.
    subdomain = told.subdomain.strip() if isinstance(told.subdomain, str) else ""
    if not 0 < len(subdomain) <= _MAX_SUBDOMAIN or not subdomain.isprintable():
        raise _Unreadable
    return Institution(
        subdomain=subdomain,
        id=integer(told.id),
        name=shortened(text(told.name)),
        country=_code(told.country_code),
        locations=_sites(told.locations),
    )


def _sites(locations: Raw) -> tuple[Location, ...]:
    """The locations that can be read, each id once."""
    sites: dict[int, Location] = {}
    for told in _told(locations):
        number = integer(told.id)
        if number is not None:
            sites[number] = Location(
                id=number,
                timezone=shortened(text(told.tz)) or None,
                country=_code(told.country_code),
                state=_code(told.state),
                inactive=flag(told.inactive),
            )
    return tuple(sites.values())


def _told(locations: Raw) -> list[_LocationEntry]:
    try:
        return _locations.decode(locations)
    except _DECODING:
        return list(_readable(locations))


def _readable(locations: Raw) -> Iterable[_LocationEntry]:
    try:
        raws = _raws.decode(locations)
    except _DECODING:
        return
    for raw in raws:
        try:
            yield _location.decode(raw)
        except _DECODING:
            continue


def _code(value: Any) -> str | None:  # noqa: ANN401
    """A code of a country or a state, in capitals."""
    return shortened(text(value).upper()) or None


# Tokens


def bearer_token(found: Answer) -> str:
    """The token of an answer of `/authenticates`. Raises Malformed."""
    try:
        token = text(_token.decode(found.data[0]).token) if found.data else ""
    except _DECODING:
        token = ""
    if not token or not token.isascii() or " " in token:
        raise Malformed("The answer to authenticating holds no usable token.")
    return token
