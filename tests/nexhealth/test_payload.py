"""Answers of the API and the values they become."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexhealth_exporter.errors import Malformed
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Sync,
)
from nexhealth_exporter.nexhealth import payload

OFFICE = Institution("office", id=1)
AT = "2026-03-02T14:05:00.000Z"
POSIX = 1772460300.0

ENTRY: dict[str, Any] = {
    "institution_id": 1,
    "sync_source_type": "DataSource",
    "sync_source_name": "SD #1",
    "emr": {"id": 11, "name": "dentrix", "display_name": "Dentrix", "type": "onprem"},
    "read_status": "green",
    "read_status_at": AT,
    "write_status": "red",
    "write_status_at": "2026-03-02T14:04:00Z",
    "locations": [
        {
            "id": 7,
            "name": "Default",
            "street_address": "12 Elm Street",
            "city": "Springfield",
            "state": "ny",
            "zip_code": "10001",
            "phone_number": "+15550100",
            "email": "desk@office.invalid",
            "inactive": False,
        }
    ],
}


def entry(**changes: Any) -> dict[str, Any]:
    return {**ENTRY, **changes}


def body(data: Any, **envelope: Any) -> bytes:
    return json.dumps({"code": True, "error": None, "data": data, **envelope}).encode()


class Rejected:
    def __init__(self) -> None:
        self.entries = 0

    def __call__(self, entries: int) -> None:
        self.entries += entries


def read(
    answer: bytes, institution: Institution = OFFICE, rejected: Callable[[int], None] | None = None
) -> tuple[Sync, ...]:
    async def work() -> tuple[Sync, ...]:
        found = payload.answer(answer)
        return await payload.syncs(found, institution, rejected or Rejected())

    return asyncio.run(work())


def one(**changes: Any) -> Sync:
    (sync,) = read(body([entry(**changes)]))
    return sync


def test_the_documented_entry_becomes_a_sync() -> None:
    assert one() == Sync(
        name="SD #1",
        integration_type=IntegrationType.SERVER,
        emr="Dentrix",
        read_at=POSIX,
        write_at=POSIX - 60,
        read_up=True,
        write_up=False,
        locations=(Location(7, state="NY"),),
    )


@pytest.mark.parametrize("mark", [None, "", "soon", 0, [], "0000-00-00T00:00:00Z"])
def test_a_mark_that_is_null_or_unreadable_is_not_known(mark: object) -> None:
    assert one(read_status_at=mark).read_at is None
    assert one(read_status_at=mark).write_at == POSIX - 60


def test_a_mark_that_is_missing_is_not_known() -> None:
    told = entry()
    del told["read_status_at"], told["write_status_at"]
    (sync,) = read(body([told]))
    assert (sync.read_at, sync.write_at) == (None, None)


@pytest.mark.parametrize("year", ["0001", "2999", "9999"])
def test_a_mark_in_the_future_or_in_the_year_1_is_kept_as_it_is(year: str) -> None:
    at = one(read_status_at=f"{year}-03-02T14:05:00Z").read_at
    assert at is not None
    assert (at > POSIX) == (year != "0001")


@pytest.mark.parametrize(
    ("colour", "is_up"),
    [
        ("green", True),
        ("GREEN", True),
        (" Red ", False),
        ("red", False),
        ("yellow", None),
        ("", None),
        (None, None),
        (1, None),
        (True, None),
        ([], None),
        ({"green": 1}, None),
    ],
)
def test_a_colour_is_green_or_red_in_any_case_and_nothing_else(
    colour: object, is_up: bool | None
) -> None:
    assert one(read_status=colour).read_up is is_up
    assert one(write_status=colour).write_up is is_up


@pytest.mark.parametrize(
    ("emr", "name", "kind"),
    [
        ({"name": "x", "display_name": "X", "type": "cloud"}, "X", IntegrationType.CLOUD),
        ({"name": "x", "display_name": "X", "type": "OnPrem"}, "X", IntegrationType.SERVER),
        ({"name": "x", "type": "cloud"}, "x", IntegrationType.CLOUD),
        ({"name": "dentrix", "display_name": None}, "dentrix", IntegrationType.SERVER),
        ({"name": "curve2", "display_name": "Curve"}, "Curve", IntegrationType.CLOUD),
        ({"name": "dentrix", "type": "hybrid"}, "dentrix", None),
        ({"name": "newcomer"}, "newcomer", None),
        ({"id": 5}, "", None),
        ({}, "", None),
        (None, "", None),
        ("eaglesoft", "eaglesoft", IntegrationType.SERVER),
        ([], "", None),
        (7, "7", None),
    ],
)
def test_the_product_and_where_it_runs(
    emr: object, name: str, kind: IntegrationType | None
) -> None:
    sync = one(emr=emr)
    assert (sync.emr, sync.integration_type) == (name, kind)


@pytest.mark.parametrize("emr", [{}, {"emr": None}, {"emr": {}}])
def test_ehr_is_read_where_emr_is_missing(emr: dict[str, Any]) -> None:
    told = {k: v for k, v in ENTRY.items() if k != "emr"} | emr | {"ehr": ENTRY["emr"]}
    (sync,) = read(body([told]))
    assert (sync.emr, sync.integration_type) == ("Dentrix", IntegrationType.SERVER)


@pytest.mark.parametrize("locations", [None, [], "none", 7, {}, [None, 1, "x", [], {}]])
def test_a_sync_without_usable_locations_is_a_sync(locations: object) -> None:
    assert one(locations=locations).locations == ()


def test_one_bad_location_spoils_only_itself() -> None:
    told = [{"id": "7", "inactive": "true"}, 5, {"id": None}, {"id": 8, "state": 3}, {"id": 7}]
    assert one(locations=told).locations == (Location(7), Location(8, state="3"))


def test_a_location_may_belong_to_several_syncs() -> None:
    first, second = read(body([entry(), entry(sync_source_name="SD #2")]))
    assert first.locations == second.locations


def test_inactive_locations_are_known_as_such() -> None:
    assert one(locations=[{"id": 7, "inactive": True}]).inactive
    assert not one(locations=[{"id": 7, "inactive": True}, {"id": 8}]).inactive


def test_two_syncs_of_one_name_stay_apart() -> None:
    twins = [entry(), entry(locations=[{"id": 9}, {"id": 3}]), entry()]
    assert [s.name for s in read(body(twins))] == ["SD #1 #7", "SD #1 #3", "SD #1 #7 ~2"]


def test_one_bad_entry_spoils_only_itself_and_is_counted() -> None:
    rejected = Rejected()
    strange: list[object] = [None, "text", 7, [], {}, {"unknown": 1}, [[[]]], True]
    syncs = read(body([*strange[:4], entry(), *strange[4:]]), rejected=rejected)
    assert [sync.name for sync in syncs] == ["SD #1"]
    assert rejected.entries == len(strange)


@pytest.mark.parametrize(
    "bad",
    [
        b'{"sync_source_name": "\xff\xfe"}',
        b'{"institution_id": 1e999}',
        b'{"institution_id": ' + b"9" * 9000 + b"}",
        b'{"emr": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_an_entry_that_cannot_be_decoded_leaves_its_neighbours_alone(bad: bytes) -> None:
    good = json.dumps(entry()).encode()
    answer = b'{"code": true, "data": [' + good + b", " + bad + b", " + good + b"]}"
    assert [sync.name for sync in read(answer)] == ["SD #1 #7", "SD #1 #7 ~2"]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (rb"\ud800", "\ufffd"),
        (rb"\udc00\ud83d", "\ufffd\ufffd"),
        (rb"\ud83d\ude00 \ud83d", "\U0001f600 \ufffd"),
        (rb"\\ud800 \uD83D", "\\ud800 \ufffd"),
        (rb"\\\ud800", "\\\ufffd"),
    ],
)
def test_half_a_character_in_a_name_spoils_no_answer(told: bytes, name: str) -> None:
    answer = b'{"code": true, "data": [{"institution_id": 1, "sync_source_name": "' + told + b'"}]}'
    assert [sync.name for sync in read(answer)] == [name]


def test_an_answer_of_which_nothing_can_be_read_is_malformed() -> None:
    rejected = Rejected()
    with pytest.raises(Malformed, match="None of the answer's 2 entries"):
        read(body([1, 2]), rejected=rejected)
    assert rejected.entries == 2


def test_an_institution_without_a_sync_has_none() -> None:
    assert read(body([])) == ()


def test_data_that_is_an_object_counts_as_one_entry() -> None:
    assert [sync.name for sync in read(body(entry()))] == ["SD #1"]


@pytest.mark.parametrize("data", [None, 7, "text", {}, {"locations": 12, "emr": []}])
def test_data_of_another_type_is_malformed(data: object) -> None:
    with pytest.raises(Malformed):
        read(body(data))


def test_of_duplicate_keys_the_last_holds() -> None:
    assert one().name == "SD #1"
    text = json.dumps(entry()).replace(
        '"sync_source_name": "SD #1"', '"sync_source_name": "a", "sync_source_name": "b"'
    )
    (sync,) = read(b'{"code": false, "code": true, "data": [' + text.encode() + b"]}")
    assert sync.name == "b"


def test_entries_of_other_institutions_are_left_out() -> None:
    told = [entry(), entry(institution_id=2), entry(institution_id=None)]
    assert len(read(body(told))) == 2
    with pytest.raises(Malformed, match="other institutions"):
        read(body([entry(institution_id=2)]))
    assert len(read(body(told), Institution("office", id=None))) == 3


def test_nothing_personal_becomes_a_value() -> None:
    shown = repr(one())
    for private in ("Elm", "Springfield", "10001", "0100", "desk@"):
        assert private not in shown


@pytest.mark.parametrize(
    ("code", "is_ok"),
    [(True, True), (1, True), (None, True), ("true", True), ("yes", True)]
    + [(code, False) for code in (False, 0, "false", "FALSE")],
)
def test_code_false_in_any_spelling_is_no_success(code: object, is_ok: bool) -> None:
    assert payload.answer(body([], code=code)).ok is is_ok


def test_an_answer_without_code_is_judged_by_its_status_alone() -> None:
    assert payload.answer(b'{"data": []}').ok


def test_description_and_error_may_be_of_any_type() -> None:
    found = payload.answer(body([], description=[["a"], "b"], error={"x": 1}))
    assert (found.description, found.error) == ("a; b", "")


@pytest.mark.parametrize(("count", "is_cut"), [(2, True), ("2", True), (1, False), (0, False)])
def test_a_count_above_the_number_of_entries_means_truncated(count: object, is_cut: bool) -> None:
    assert payload.answer(body([entry()], count=count)).is_cut is is_cut
    assert not payload.answer(body([entry()], count=None)).is_cut


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"<!doctype html><html></html>",
        b'{"code": true, "data": [{"institution_id"',
        b'{"code": true, "data": [NaN]}',
        b'{"code": true, "data": []} trailing',
        b'{"code": true, "description": "\xff", "data": []}',
        b'{"code": true, "data": ' + b"[" * 200_000,
        b'{"code": true, "data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"code": true, "error": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"\xef\xbb\xbf{}",
        '{"code": true}'.encode("utf-16"),
        b"\x00" * 100,
        b"\x1f\x8b\x08\x00",
    ],
    ids=lambda answer: repr(answer[:24]),
)
def test_what_is_not_the_documented_json_is_malformed_and_never_quoted(answer: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read(answer)
    assert "html" not in str(caught.value)
    assert len(str(caught.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*ENTRY, "id", "name", "type", "ehr", "tz"]), inner)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.binary() | JSON.map(msgspec.json.encode))
def test_no_bytes_at_all_raise_anything_but_malformed(answer: bytes) -> None:
    try:
        found = payload.answer(answer)
    except Malformed:
        return
    assert isinstance(found.ok, bool)


@settings(deadline=None, max_examples=50)
@given(st.lists(JSON | st.dictionaries(st.sampled_from([*ENTRY]), JSON), max_size=6))
def test_no_entries_at_all_harm_a_good_one(strange: list[Any]) -> None:
    rejected = Rejected()
    answer = msgspec.json.encode({"code": True, "data": [*strange, entry()]})
    syncs = read(answer, Institution("office"), rejected)
    assert syncs[-1].name.startswith("SD #1")
    assert len(syncs) + rejected.entries == len(strange) + 1
    assert len({sync.name for sync in syncs}) == len(syncs)


# Inventory


def institutions(data: Any) -> list[Institution]:
    async def work() -> list[Institution]:
        return await payload.institutions(payload.answer(body(data)), Rejected())

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
                    Location(7, "America/Chicago", "US", "IL"),
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


@pytest.mark.parametrize("subdomain", [None, "", " ", 7, "a\nb", "a\x1bb", "\u202ea", "x" * 201])
def test_an_institution_that_cannot_be_asked_for_is_rejected(subdomain: object) -> None:
    assert [i.subdomain for i in institutions([LISTED, LISTED | {"subdomain": subdomain}])] == [
        "smile"
    ]


# Fleet


def fleet(data: Any, inventory: Inventory, rejected: Rejected) -> dict[str, tuple[Sync, ...]]:
    async def work() -> dict[str, tuple[Sync, ...]]:
        return await payload.fleet(payload.answer(body(data)), inventory, rejected)

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


async def test_a_large_fleet_answer_does_not_hold_the_event_loop_for_long() -> None:
    number = 20_000
    inventory = Inventory({f"i{n}": Institution(f"i{n}", id=n) for n in range(number)})
    answer = body([entry(institution_id=n) for n in range(number)])
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(others())
    began = time.process_time()
    found = await payload.fleet(payload.answer(answer), inventory, Rejected())
    seconds = time.process_time() - began
    beside.cancel()
    assert len(found) == number
    assert turns >= 2 * number // payload.SLICE
    assert seconds < 10


# Tokens


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
        payload.bearer_token(payload.answer(body(data)))
