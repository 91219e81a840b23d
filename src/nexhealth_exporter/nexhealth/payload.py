"""NexHealth's entries and the house's values: the only module that knows the API's words.

Addresses, telephone numbers and e-mail addresses of locations are skipped as bytes and never
become values. Names and words are interned: a fleet holds each once, however often it is told.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace as altered

from nexhealth_exporter.errors import DECODING, Malformed
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Sync
from nexhealth_exporter.nexhealth.envelope import Answer, Reject, Unreadable, each, read
from nexhealth_exporter.nexhealth.naming import Source, names
from nexhealth_exporter.nexhealth.scalars import flag, instant, integer, text
from nexhealth_exporter.nexhealth.text import shortened
from nexhealth_exporter.nexhealth.zones import zone

_MAX_SUBDOMAIN = 200
_MOST_SYNCS = 1000
"""Syncs of one institution; what is more would be a flood of series, and is rejected."""

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


_raws = msgspec.json.Decoder(list[Raw])
_location = msgspec.json.Decoder(_LocationEntry)
_locations = msgspec.json.Decoder(list[_LocationEntry])
_sync = msgspec.json.Decoder(_SyncEntry)
_institution = msgspec.json.Decoder(_InstitutionEntry)
_token = msgspec.json.Decoder(_TokenEntry)


# Syncs


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """A sync that has no name of its own yet."""

    institution_id: int | None
    source: Source
    sync: Sync


async def syncs(found: Answer, institution: Institution, reject: Reject) -> tuple[Sync, ...]:
    """The syncs of one institution. Raises Malformed."""
    known, number = _known(institution), institution.id
    entries = await read(found, lambda raw: _entry(raw, known), reject)
    own = [
        e
        for e in entries
        if number is None or e.institution_id is None or e.institution_id == number
    ]
    if entries and not own:
        raise Malformed("The answer is about other institutions.")
    if (surplus := len(own) - _MOST_SYNCS) > 0:
        reject(surplus, "too_many", institution.subdomain)
    return _named(own[:_MOST_SYNCS], institution)


async def fleet(
    found: Answer, inventory: Inventory, reject: Reject
) -> Mapping[str, tuple[Sync, ...]]:
    """The syncs of every institution of `inventory` that the answer mentions, by subdomain.

    Raises Malformed.
    """
    subdomains = {i.id: i.subdomain for i in inventory if i.id is not None}
    groups: dict[str, tuple[Raw, ...]] = {}
    surplus: Counter[str] = Counter()

    def group(raw: Raw) -> None:
        number = integer(_sync.decode(raw).institution_id)
        if number is None:
            raise Unreadable
        if number not in subdomains:
            return
        its = groups.get(subdomains[number], ())
        if len(its) < _MOST_SYNCS:
            # Most have one or two, of which a tuple takes half the memory that a list takes.
            groups[subdomains[number]] = (*its, raw)
        else:
            surplus[subdomains[number]] += 1

    await each(found, group, reject)
    if surplus:
        its_only = next(iter(surplus)) if len(surplus) == 1 else None
        reject(surplus.total(), "too_many", its_only)
    return _Told(groups, inventory)


class _Told(Mapping[str, tuple[Sync, ...]]):
    """Syncs by subdomain, read whenever they are asked for.

    So those of a whole fleet need not be there together, beside those that were known before.
    """

    def __init__(self, entries: Mapping[str, Sequence[Raw]], inventory: Inventory) -> None:
        self._entries = entries
        self._inventory = inventory

    def __getitem__(self, subdomain: str) -> tuple[Sync, ...]:
        institution = self._inventory.institutions[subdomain]
        known = _known(institution)
        entries = [_entry(raw, known) for raw in self._entries[subdomain]]
        return _named(entries, institution)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _named(entries: Sequence[_Entry], institution: Institution) -> tuple[Sync, ...]:
    unique, everywhere = names([entry.source for entry in entries]), institution.locations
    return tuple(
        altered(
            entry.sync,
            name=sys.intern(name),
            locations=everywhere if entry.sync.locations == everywhere else entry.sync.locations,
        )
        for entry, name in zip(entries, unique, strict=True)
    )


Sites = Mapping[int, Location]
"""Locations that are known, by their ids."""


def _known(institution: Institution) -> Sites:
    return {site.id: site for site in institution.locations}


def _entry(raw: Raw, known: Sites) -> _Entry:
    told = _sync.decode(raw)
    institution_id = integer(told.institution_id)
    source_name = text(told.sync_source_name)
    emr, integration_type = _product(told.emr or told.ehr)
    locations = _sites(told.locations, known)
    sync = Sync(
        name="",
        integration_type=integration_type,
        emr=emr,
        read_at=instant(told.read_status_at),
        write_at=instant(told.write_status_at),
        read_up=_colour(told.read_status),
        write_up=_colour(told.write_status),
        locations=locations,
    )
    if institution_id is None and not source_name and sync == Sync("", None, locations=locations):
        raise Unreadable
    lowest = min([location.id for location in locations]) if locations else None
    return _Entry(institution_id, Source(source_name, lowest), sync)


def _colour(value: object) -> bool | None:
    """Whether it is green; None for anything but the two."""
    if value == "green":  # as nearly always
        return True
    return _COLOURS.get(text(value).lower())


def _product(emr: object) -> tuple[str, IntegrationType | None]:
    """The product's display name, and where it runs."""
    if not isinstance(emr, dict):
        name = text(emr)
        return sys.intern(shortened(name)), _TYPES_BY_PRODUCT.get(name.lower())
    name = text(emr.get("name"))
    display_name = text(emr.get("display_name")) or name
    kind = text(emr.get("type")).lower()
    known = _TYPES.get(kind) if kind else _TYPES_BY_PRODUCT.get(name.lower())
    return sys.intern(shortened(display_name)), known


# Institutions and locations


async def institutions(found: Answer, reject: Reject) -> list[Institution]:
    """The institutions of `/institutions` or `/locations`, with their locations.

    Raises Malformed.
    """
    return await read(found, _listed, reject)


def merged(listed: Iterable[Institution], located: Iterable[Institution]) -> Inventory:
    """One inventory of what both endpoints tell; `located` knows the locations better."""
    found = {institution.subdomain: institution for institution in listed}
    for institution in located:
        known = found.get(institution.subdomain, institution)
        locations = {location.id: location for location in known.locations}
        locations |= {location.id: location for location in institution.locations}
        found[institution.subdomain] = altered(
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
        raise Unreadable
    return Institution(
        subdomain=sys.intern(subdomain),
        id=integer(told.id),
        name=shortened(text(told.name)),
        country=_code(told.country_code),
        locations=_sites(told.locations, {}),
    )


def _sites(locations: Raw, known: Sites) -> tuple[Location, ...]:
    """The locations that can be read, each id once.

    One that is known already is that, which a fleet then holds once; but whether it is in use, an
    entry tells later than the inventory.
    """
    sites: dict[int, Location] = {}
    for told in _told(locations):
        number = integer(told.id)
        if number is None:
            continue
        inactive, own = flag(told.inactive), known.get(number)
        if own is None or own.inactive != inactive:
            own = Location(
                id=number,
                timezone=zone(told.tz),
                country=_code(told.country_code),
                state=_code(told.state),
                inactive=inactive,
            )
        sites[number] = own
    return tuple(sites.values())


def _told(locations: Raw) -> list[_LocationEntry]:
    try:
        return _locations.decode(locations)
    except DECODING:
        return list(_readable(locations))


def _readable(locations: Raw) -> Iterable[_LocationEntry]:
    try:
        raws = _raws.decode(locations)
    except DECODING:
        return
    for raw in raws:
        try:
            yield _location.decode(raw)
        except DECODING:
            continue


def _code(value: object) -> str | None:
    """A code of a country or a state, in capitals."""
    return sys.intern(shortened(text(value).upper())) or None


# Tokens


def bearer_token(found: Answer) -> str:
    """The token of an answer of `/authenticates`. Raises Malformed."""
    try:
        token = text(_token.decode(found.data[0]).token) if found.data else ""
    except DECODING:
        token = ""
    if not token or not token.isascii() or " " in token:
        raise Malformed("The answer to authenticating holds no usable token.")
    return token
