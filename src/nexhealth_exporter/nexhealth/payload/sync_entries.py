"""Syncs in answers: of one institution, or of the whole fleet."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace as altered

from nexhealth_exporter.errors import Malformed
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Sync
from nexhealth_exporter.nexhealth.envelope import (
    Envelope,
    Reject,
    Unreadable,
    decode_all,
    for_each_entry,
)
from nexhealth_exporter.nexhealth.naming import Source, names
from nexhealth_exporter.nexhealth.payload.inventory_entries import LocationsById, locations_of
from nexhealth_exporter.nexhealth.payload.vocabulary import (
    TYPES_BY_PRODUCT,
    integration_type,
    is_green,
)
from nexhealth_exporter.nexhealth.scalars import instant, integer, text
from nexhealth_exporter.nexhealth.text import shortened

_MOST_SYNCS = 1000
"""Syncs of one institution; more would be a flood of series, so the surplus is rejected."""


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


_decoder = msgspec.json.Decoder(_SyncEntry)


class _Unnamed(msgspec.Struct, frozen=True, gc=False):
    """A sync without its name, which depends on the other syncs of its institution."""

    institution_id: int | None
    source: Source
    sync: Sync


async def syncs(
    envelope: Envelope,
    institution: Institution,
    reject: Reject,
    listed: Iterable[Institution] = (),
) -> tuple[Sync, ...]:
    """The syncs of one institution; `listed` are those of the inventory. Raises Malformed.

    If all entries have one other id, and no institution had it when the inventory was taken, this
    institution has been created anew since.
    """
    known, number = _locations_by_id(institution), institution.id
    unnamed = await decode_all(envelope, lambda raw: _unnamed(raw, known), reject)
    own = [
        u
        for u in unnamed
        if number is None or u.institution_id is None or u.institution_id == number
    ]
    if not own:
        ids = {u.institution_id for u in unnamed}
        if len(ids) == 1 and not any(other.id in ids for other in listed):
            own = unnamed
    if unnamed and not own:
        raise Malformed("The answer is about other institutions.")
    if (surplus := len(own) - _MOST_SYNCS) > 0:
        reject(surplus, "too_many", institution.subdomain)
    return _named(own[:_MOST_SYNCS], institution)


async def fleet(
    envelope: Envelope, inventory: Inventory, reject: Reject
) -> Mapping[str, tuple[Sync, ...]]:
    """The syncs of every institution of `inventory` that the answer mentions, by subdomain.

    Raises Malformed.
    """
    subdomains = {i.id: i.subdomain for i in inventory if i.id is not None}
    groups: dict[str, tuple[Raw, ...]] = {}
    surplus: Counter[str] = Counter()

    def group(raw: Raw) -> None:
        number = integer(_decoder.decode(raw).institution_id)
        if number is None:
            raise Unreadable
        if number not in subdomains:
            return
        grouped = groups.get(subdomains[number], ())
        if len(grouped) < _MOST_SYNCS:
            # Most have one or two, of which a tuple takes half the memory that a list takes.
            groups[subdomains[number]] = (*grouped, raw)
        else:
            surplus[subdomains[number]] += 1

    await for_each_entry(envelope, group, reject)
    if surplus:
        only_one = next(iter(surplus)) if len(surplus) == 1 else None
        reject(surplus.total(), "too_many", only_one)
    return _LazySyncs(groups, inventory)


class _LazySyncs(Mapping[str, tuple[Sync, ...]]):
    """Syncs by subdomain, decoded each time they are looked up.

    So the new syncs of a whole fleet need not be in memory together, beside the old ones.
    """

    def __init__(self, entries: Mapping[str, Sequence[Raw]], inventory: Inventory) -> None:
        self._entries = entries
        self._inventory = inventory

    def __getitem__(self, subdomain: str) -> tuple[Sync, ...]:
        institution = self._inventory.institutions[subdomain]
        known = _locations_by_id(institution)
        unnamed = [_unnamed(raw, known) for raw in self._entries[subdomain]]
        return _named(unnamed, institution)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _named(unnamed: Sequence[_Unnamed], institution: Institution) -> tuple[Sync, ...]:
    unique, everywhere = names([one.source for one in unnamed]), institution.locations
    return tuple(
        altered(
            one.sync,
            name=sys.intern(name),
            locations=everywhere if one.sync.locations == everywhere else one.sync.locations,
        )
        for one, name in zip(unnamed, unique, strict=True)
    )


def _locations_by_id(institution: Institution) -> LocationsById:
    return {location.id: location for location in institution.locations}


def _unnamed(raw: Raw, known: LocationsById) -> _Unnamed:
    entry = _decoder.decode(raw)
    institution_id = integer(entry.institution_id)
    source_name = text(entry.sync_source_name)
    emr, kind, likely_type = _product(entry.emr or entry.ehr)
    locations = locations_of(entry.locations, known)
    sync = Sync(
        name="",
        integration_type=kind,
        emr=emr,
        read_at=instant(entry.read_status_at),
        write_at=instant(entry.write_status_at),
        read_up=is_green(entry.read_status),
        write_up=is_green(entry.write_status),
        locations=locations,
        likely_type=likely_type,
    )
    if institution_id is None and not source_name and sync == Sync("", None, locations=locations):
        raise Unreadable
    lowest = min([location.id for location in locations]) if locations else None
    return _Unnamed(institution_id, Source(source_name, lowest), sync)


def _product(emr: object) -> tuple[str, IntegrationType | None, IntegrationType | None]:
    """The product's display name, where it runs, and else where such a product usually runs."""
    if not isinstance(emr, dict):
        name = text(emr)
        return sys.intern(shortened(name)), None, TYPES_BY_PRODUCT.get(name.lower())
    name = text(emr.get("name"))
    display_name = text(emr.get("display_name")) or name
    kind = text(emr.get("type"))
    likely = None if kind else TYPES_BY_PRODUCT.get(name.lower())
    return sys.intern(shortened(display_name)), integration_type(kind), likely
