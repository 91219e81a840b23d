"""What is around the entries, and what spoils an answer or an entry."""

import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexhealth_exporter.errors import Malformed, TooLarge
from nexhealth_exporter.model import (
    Institution,
)
from nexhealth_exporter.nexhealth import envelope, limits
from nexhealth_exporter.nexhealth.splitting import PIECE
from tests.nexhealth.answers import ENTRY, JSON, Rejected, body, entry, one, read


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


MANY = limits.MOST_VALUES
FLOODS = {
    "numbers": b"1," * MANY,
    "objects": b"{}," * (MANY // 2),
    "syncs": b'{"institution_id":1},' * (MANY // 2),
    "nested": (b"[" * 900 + b"]" * 900 + b",") * (MANY // 900),
    "locations": b'{"institution_id":1,"locations":[' + b'{"id":7},' * (MANY // 2) + b"0]},",
    "product": b'{"institution_id":1,"emr":[' + b"[]," * (MANY // 2) + b"0]},",
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_values_is_refused_before_it_takes_memory(flood: bytes) -> None:
    answer = b'{"code": true, "data": [' + flood + b"0]}"
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="more than 5000000 values"):
            read(answer)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_flood_of_entries_is_refused() -> None:
    entries = b",".join([b"{}"] * (limits.MOST_ENTRIES + 1))
    with pytest.raises(TooLarge, match="more than 200000 entries"):
        read(b'{"code": true, "data": [' + entries + b"]}")


def test_an_entry_as_large_as_an_answer_spoils_only_itself() -> None:
    rejected = Rejected()
    large = entry(sync_source_name="x" * limits.MOST_ENTRY_BYTES)
    assert [sync.name for sync in read(body([entry(), large]), rejected=rejected)] == ["SD #1"]
    assert rejected.entries == 1


def test_of_a_flood_of_syncs_of_one_institution_a_thousand_are_kept() -> None:
    rejected = Rejected()
    told = [entry(sync_source_name=f"SD #{n}") for n in range(1500)]
    syncs = read(body(told), rejected=rejected)
    assert [sync.name for sync in syncs] == [f"SD #{n}" for n in range(1000)]
    assert rejected.entries == 500


@pytest.mark.parametrize("filling", [b"x", b"\\", b"\\ud800", b"\\\\ud800"], ids=repr)
def test_a_large_answer_that_breaks_off_is_refused(filling: bytes) -> None:
    # Looking back at every backslash would take hours.
    answer = b'{"code": true, "data": [{"sync_source_name": "' + filling * (2**24 // len(filling))
    with pytest.raises(Malformed):
        read(answer)


def test_an_answer_of_which_nothing_can_be_read_is_malformed() -> None:
    rejected = Rejected()
    with pytest.raises(Malformed, match="None of the answer's 2 entries"):
        read(body([1, 2]), rejected=rejected)
    assert rejected.entries == 2


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


@pytest.mark.parametrize(
    ("code", "is_ok"),
    [(True, True), (1, True), (None, True), ("true", True), ("yes", True)]
    + [(code, False) for code in (False, 0, "false", "FALSE")],
)
def test_code_false_in_any_spelling_is_no_success(code: object, is_ok: bool) -> None:
    assert envelope.decode(body([], code=code)).ok is is_ok


def test_an_answer_without_code_is_judged_by_its_status_alone() -> None:
    assert envelope.decode(b'{"data": []}').ok


def test_description_and_error_may_be_of_any_type() -> None:
    found = envelope.decode(body([], description=[["a"], "b"], error={"x": 1}))
    assert (found.description, found.error) == ("a; b", "")


@pytest.mark.parametrize(("count", "is_cut"), [(2, True), ("2", True), (1, False), (0, False)])
def test_a_count_above_the_number_of_entries_means_truncated(count: object, is_cut: bool) -> None:
    assert envelope.decode(body([entry()], count=count)).is_cut is is_cut
    assert not envelope.decode(body([entry()], count=None)).is_cut


@pytest.mark.parametrize(
    ("page_info", "is_cut"),
    [
        ({"has_next_page": True, "end_cursor": "x"}, True),
        ({"has_next_page": "true"}, True),
        ({"has_next_page": False}, False),
        ({}, False),
        ([True], False),
        (None, False),
    ],
)
def test_a_next_page_means_truncated(page_info: object, is_cut: bool) -> None:
    assert envelope.decode(body([entry()], page_info=page_info)).is_cut is is_cut


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


@pytest.mark.parametrize("entries", [1, 2000])
async def test_a_byte_order_mark_before_an_answer_is_ignored(entries: int) -> None:
    answer = body([entry(institution_id=n) for n in range(entries)])
    marked = b"\xef\xbb\xbf" + answer
    assert (len(marked) > PIECE) is (entries > 1)
    same, found = envelope.decode(answer), await envelope.decode_piecewise(bytearray(marked))
    assert [bytes(raw) for raw in found.data or ()] == [bytes(raw) for raw in same.data or ()]
    assert len(found.data or ()) == entries


@given(st.binary() | JSON.map(msgspec.json.encode))
def test_no_bytes_at_all_raise_anything_but_malformed(answer: bytes) -> None:
    try:
        found = envelope.decode(answer)
    except Malformed:
        return
    assert isinstance(found.ok, bool)


@settings(max_examples=50)
@given(st.lists(JSON | st.dictionaries(st.sampled_from([*ENTRY]), JSON), max_size=6))
def test_no_entries_at_all_harm_a_good_one(strange: list[Any]) -> None:
    rejected = Rejected()
    answer = msgspec.json.encode({"code": True, "data": [*strange, entry()]})
    syncs = read(answer, Institution("office"), rejected)
    assert syncs[-1].name.startswith("SD #1")
    assert len(syncs) + rejected.entries == len(strange) + 1
    assert len({sync.name for sync in syncs}) == len(syncs)
