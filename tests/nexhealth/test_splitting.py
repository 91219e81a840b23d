"""A body that is taken apart piece by piece gives what it gives in one go, or is left whole."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexhealth_exporter.nexhealth import envelope
from nexhealth_exporter.nexhealth.splitting import Split, split
from tests.nexhealth.answers import body, entry
from tests.turns import others

WORDS = st.sampled_from(
    ["", "},{", '"data":[{"institution_id"', '"institution_id"', "]}", "é\\", ","]
)
VALUES = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda v: (
        st.lists(v, max_size=3)
        | st.dictionaries(WORDS | st.sampled_from(["institution_id", "data", "id"]), v, max_size=3)
    ),
    max_leaves=8,
)
ENTRIES = st.lists(
    st.fixed_dictionaries({"institution_id": VALUES, "more": VALUES}) | VALUES, max_size=12
)


def taken_apart(text: bytes, piece: int = 1) -> Split | None:
    kept = bytearray(text)
    found = asyncio.run(split(kept, piece))
    assert found is not None or kept == text
    return found


def whole(text: bytes) -> tuple[object, ...]:
    found = envelope.decode(text)
    return (found.ok, found.description, [bytes(raw) for raw in found.data or ()], found.is_cut)


def in_two(text: bytes, found: Split) -> tuple[object, ...]:
    told = envelope.decode(bytes(found.envelope))
    count = json.loads(text).get("count")
    is_cut = isinstance(count, int) and count > len(found.entries)
    return (told.ok, told.description, [bytes(raw) for raw in found.entries], is_cut)


@given(
    entries=ENTRIES,
    before=st.dictionaries(WORDS, VALUES, max_size=2),
    after=st.dictionaries(WORDS | st.just("more"), VALUES, max_size=2),
    indent=st.sampled_from([None, 1]),
    piece=st.integers(1, 60),
)
def test_the_pieces_are_the_whole(
    entries: list[object],
    before: dict[str, object],
    after: dict[str, object],
    indent: int | None,
    piece: int,
) -> None:
    answer = {"code": True, **before, "data": entries, **after, "count": 7}
    text = json.dumps(answer, indent=indent).encode()
    found = taken_apart(text, piece)
    if found is not None:
        assert in_two(text, found) == whole(text)


def test_an_answer_of_the_api_is_taken_apart() -> None:
    text = bytes(body([entry(institution_id=n) for n in range(50)], description=["late"], count=51))
    found = taken_apart(text)
    assert found is not None
    assert in_two(text, found) == whole(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"data":[{"a":1},{"a":2}],"data":[{"a":3}]}',
        b'{"data":[{"a":1},{"a":2}],"data":null}',
        b'{"x":{"data":[{"a":1},{"a":2}]}}',
        b'{"x":{"data":[{"a":1},{"a":2}]},"data":[{"a":3}]}',
        b'{"data":[{"a":1},{"a":2}',
        b'{"data":[{"a":1},{"a":2}]',
        b'{"data":[{"a":1}{"a":2},{"a":3}]}',
        b'{"data":[{"a":1},{"a":[{"a":1},{"a":1},{"a":1},{"a":1},{"a":1}]}]}',
        b'{"data":' + b"[" * 5000,
        b"[]",
        b"",
    ],
)
def test_what_cannot_be_told_apart_is_left_whole(text: bytes) -> None:
    assert taken_apart(text) is None


async def test_a_large_answer_gives_what_it_gives_in_one_go() -> None:
    text = bytes(
        body([entry(institution_id=n) for n in range(3000)], description=["late"], count=3001)
    )
    assert len(text) > 4 * 256 * 1024
    found, same = await envelope.decode_piecewise(bytearray(text)), envelope.decode(text)
    assert found.data is not None
    assert same.data is not None
    assert [bytes(raw) for raw in found.data] == [bytes(raw) for raw in same.data]
    assert (found.ok, found.description, found.is_cut) == (True, "late", True)


async def test_others_have_their_turn_while_there_is_nothing_to_cut() -> None:
    text = b'{"data":[{"a":1}' + (b"," + b" " * 999) * 8000 + b"]}"
    async with others() as turns:
        assert await split(bytearray(text)) is None
    assert turns.count >= len(text) // 2**20
