"""Institutions, the fleet and tokens in answers."""

import asyncio
from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

import pytest

from nexhealth_exporter.errors import Malformed
from nexhealth_exporter.model import (
    Institution,
    Inventory,
    Location,
    Sync,
)
from nexhealth_exporter.nexhealth import envelope, payload
from nexhealth_exporter.nexhealth.splitting import PIECE
from tests.nexhealth.answers import Rejected, body, entry
from tests.turns import others


def institutions(data: Any) -> list[Institution]:
    async def work() -> list[Institution]:
        return await payload.institutions(envelope.decode(body(data)), Rejected())

    return asyncio.run(work())


LISTED = {"id": 1, "name": " Smile\nDental ", "subdomain": "smile", "country_code": "us"}


def test_institutions_and_locations_make_one_inventory() -> None:
    listed = institutions([LISTED | {"locations": [{"id": 7, "inactive": True}, {"id": 9}]}])
    zone = {"id": 7, "tz": "America/Chicago", "country_code": "US", "state": "IL"}
    located = institutions(
        [
            {"id": 1, "subdomain": "smile", "locations": [zone, {"id": 8, "tz": "nowhere"}]},
            {"id": 2, "subdomain": "grin", "name": "Grin", "locations": None},
        ]
    )
    assert payload.merged(listed, located) == Inventory(
        {
            "smile": Institution(
                "smile",
                id=1,
                name="Smile Dental",
                country="US",
                locations=(
                    Location(7, "America/Chicago"),
                    Location(9),
                    Location(8, "nowhere"),
                ),
            ),
            "grin": Institution("grin", id=2, name="Grin"),
        }
    )


def test_locations_may_come_as_one_object_instead_of_a_list() -> None:
    (found,) = institutions(LISTED | {"locations": [{"id": 7, "tz": "America/Chicago"}]})
    assert found.locations == (Location(7, "America/Chicago"),)


@pytest.mark.parametrize(
    ("told", "timezone"),
    [
        ("America/New_York", "America/New_York"),
        ("Eastern Time (US & Canada)", "America/New_York"),
        (" Pacific Time (US & Canada) ", "America/Los_Angeles"),
        ("Arizona", "America/Phoenix"),
        ("Nowhere", "Nowhere"),
        ("", None),
        (None, None),
        (["UTC"], None),
    ],
)
def test_a_zone_by_its_name_in_rails_is_that_of_the_zone_database(
    told: object, timezone: str | None
) -> None:
    (found,) = institutions(LISTED | {"locations": [{"id": 7, "tz": told}]})
    assert found.locations[0].timezone == timezone
    assert timezone in {None, "Nowhere", *available_timezones()}


@pytest.mark.parametrize("at", [None, "", "2026-03-02T14:05:00Z", 7, {"at": 1}])
def test_when_a_location_was_last_synced_changes_nothing(at: object) -> None:
    (found,) = institutions(LISTED | {"locations": [{"id": 7, "last_sync_time": at}]})
    (without,) = institutions(LISTED | {"locations": [{"id": 7}]})
    assert found == without


@pytest.mark.parametrize("subdomain", [None, "", " ", 7, "a\nb", "a\x1bb", "\u202ea", "x" * 201])
def test_an_institution_that_cannot_be_asked_for_is_rejected(subdomain: object) -> None:
    assert [i.subdomain for i in institutions([LISTED, LISTED | {"subdomain": subdomain}])] == [
        "smile"
    ]


@pytest.mark.parametrize("subdomain", ["x", "x" * 200, " x "])
def test_a_subdomain_of_any_usual_length_is_taken(subdomain: str) -> None:
    (found,) = institutions([LISTED | {"subdomain": subdomain}])
    assert found.subdomain == subdomain.strip()


def test_the_country_is_taken_from_wherever_it_is_told() -> None:
    (listed,) = institutions([LISTED | {"country_code": None}])
    (located,) = institutions([LISTED | {"country_code": "ca"}])
    for one, other in ((listed, located), (located, listed)):
        (found,) = payload.merged([one], [other])
        assert found.country == "CA"


def test_a_country_that_only_locations_tell_is_that_of_most_of_them() -> None:
    codes = (None, "us", "ca", 7, "CA ", "us", "ca")
    places = [{"id": n, "country_code": code} for n, code in enumerate(codes)]
    for told, country in ((None, "CA"), ("gb", "GB")):
        (found,) = institutions([LISTED | {"country_code": told, "locations": places}])
        assert found.country == country
    (listed,) = institutions([LISTED])
    (located,) = institutions([LISTED | {"country_code": None, "locations": places}])
    (merged,) = payload.merged([listed], [located])
    assert merged.country == "US"


def fleet(data: Any, inventory: Inventory, rejected: Rejected) -> Mapping[str, tuple[Sync, ...]]:
    async def work() -> Mapping[str, tuple[Sync, ...]]:
        return await payload.fleet(envelope.decode(body(data)), inventory, rejected)

    return asyncio.run(work())


def test_a_fleet_answer_is_taken_apart_by_institution() -> None:
    inventory = Inventory(
        {"a": Institution("a", id=1), "b": Institution("b", id=2), "c": Institution("c")}
    )
    rejected = Rejected()
    data = [entry(), entry(institution_id=2), entry(), entry(institution_id=99), None]
    found = fleet([*data, entry(institution_id=None)], inventory, rejected)
    assert {subdomain: [s.name for s in syncs] for subdomain, syncs in found.items()} == {
        "a": ["SD #1 #7", "SD #1 #7 ~2"],
        "b": ["SD #1"],
    }
    assert rejected.entries == 2


def test_an_institution_with_too_many_syncs_in_a_fleet_answer_is_cut_and_counted() -> None:
    rejected = Rejected()
    data = [*(entry(sync_source_name=f"S{n}") for n in range(1003)), entry(institution_id=2)]
    inventory = Inventory({"a": Institution("a", id=1), "b": Institution("b", id=2)})
    found = fleet(data, inventory, rejected)
    assert {subdomain: len(syncs) for subdomain, syncs in found.items()} == {"a": 1000, "b": 1}
    assert rejected.entries == 3


async def test_others_have_their_turn_while_a_large_fleet_answer_is_read() -> None:
    number = 20_000
    inventory = Inventory({f"i{n}": Institution(f"i{n}", id=n) for n in range(number)})
    answer = body([entry(institution_id=n) for n in range(number)])
    async with others() as split:
        pieces = await envelope.decode_piecewise(bytearray(answer))
    async with others() as read:
        found = await payload.fleet(pieces, inventory, Rejected())
    assert split.count >= len(answer) // PIECE
    assert len(found) == number
    assert read.count >= number // envelope.SLICE


def test_the_token_is_taken_as_it_is() -> None:
    assert payload.bearer_token(envelope.decode(body({"token": "eyJ.x-y_z"}))) == "eyJ.x-y_z"


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"token": None},
        {"token": ""},
        {"token": "a b"},
        {"token": "\u00fcber"},
        "x",
        7,
    ],
)
def test_an_answer_without_a_usable_token_is_malformed(data: object) -> None:
    with pytest.raises(Malformed, match="no usable token"):
        payload.bearer_token(envelope.decode(body(data)))
