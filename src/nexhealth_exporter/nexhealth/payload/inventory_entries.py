"""Institutions and locations in answers.

Addresses, telephone numbers and e-mail addresses of locations are skipped as bytes and never
become values.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace as altered

from nexhealth_exporter.errors import DECODING
from nexhealth_exporter.model import Institution, Inventory, Location
from nexhealth_exporter.nexhealth.envelope import Envelope, Reject, Unreadable, decode_all
from nexhealth_exporter.nexhealth.scalars import flag, integer, text
from nexhealth_exporter.nexhealth.text import shortened
from nexhealth_exporter.nexhealth.zones import zone

_MAX_SUBDOMAIN = 200

LocationsById = Mapping[int, Location]


class _LocationEntry(msgspec.Struct):
    id: Any = None
    tz: Any = None
    inactive: Any = None
    country_code: Any = None


class _InstitutionEntry(msgspec.Struct):
    id: Any = None
    name: Any = None
    subdomain: Any = None
    country_code: Any = None
    locations: Raw = Raw(b"null")


_raws = msgspec.json.Decoder(list[Raw])
_location_decoder = msgspec.json.Decoder(_LocationEntry)
_locations_decoder = msgspec.json.Decoder(list[_LocationEntry])
_institution_decoder = msgspec.json.Decoder(_InstitutionEntry)


async def institutions(envelope: Envelope, reject: Reject) -> list[Institution]:
    """The institutions of `/institutions` or `/locations`, with their locations.

    Raises Malformed.
    """
    return await decode_all(envelope, _institution, reject)


def merged(listed: Iterable[Institution], located: Iterable[Institution]) -> Inventory:
    """One inventory from both endpoints; `located` is more accurate about locations."""
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


def locations_of(raw: Raw, known: LocationsById) -> tuple[Location, ...]:
    """The locations of an entry that can be read, each id once.

    A location that is `known` already is taken from there, so that a fleet holds it once. But
    whether it is in use, an entry tells later than the inventory.
    """
    return _locations(_location_entries(raw), known)


def _locations(entries: Iterable[_LocationEntry], known: LocationsById) -> tuple[Location, ...]:
    locations: dict[int, Location] = {}
    for entry in entries:
        number = integer(entry.id)
        if number is None:
            continue
        inactive, location = flag(entry.inactive), known.get(number)
        if location is None or location.inactive != inactive:
            location = Location(number, zone(entry.tz), inactive)
        locations[number] = location
    return tuple(locations.values())


def _institution(raw: Raw) -> Institution:
    entry = _institution_decoder.decode(raw)
    # It is sent back in requests unchanged, so one that would have to be cleaned is unusable.
    subdomain = entry.subdomain.strip() if isinstance(entry.subdomain, str) else ""
    if not 0 < len(subdomain) <= _MAX_SUBDOMAIN or not subdomain.isprintable():
        raise Unreadable
    entries = _location_entries(entry.locations)
    return Institution(
        subdomain=sys.intern(subdomain),
        id=integer(entry.id),
        name=shortened(text(entry.name)),
        country=_country(entry.country_code) or _country_of(entries),
        locations=_locations(entries, {}),
    )


def _country_of(locations: Iterable[_LocationEntry]) -> str | None:
    """The country of most of these locations; of two with equally many, the first one."""
    countries = Counter(filter(None, (_country(entry.country_code) for entry in locations)))
    return max(countries, key=countries.__getitem__, default=None)


def _location_entries(raw: Raw) -> list[_LocationEntry]:
    try:
        return _locations_decoder.decode(raw)
    except DECODING:
        return list(_readable(raw))


def _readable(locations: Raw) -> Iterable[_LocationEntry]:
    """Those entries of a list that can be decoded one by one."""
    try:
        raws = _raws.decode(locations)
    except DECODING:
        return
    for raw in raws:
        try:
            yield _location_decoder.decode(raw)
        except DECODING:
            continue


def _country(value: object) -> str | None:
    """The code of a country, in capitals."""
    return sys.intern(shortened(text(value).upper())) or None
