"""The names of the syncs of one institution."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexhealth_exporter.nexhealth.naming import Source, names


def named(*sources: tuple[str, int | None]) -> list[str]:
    return names([Source(*source) for source in sources])


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([("  SD #1 ", 7)], ["SD #1"]),
        ([("", 7)], ["unnamed"]),
        ([(" \n ", None)], ["unnamed"]),
        ([("A", 7), ("B", 7)], ["A", "B"]),
        ([("A", 7), ("A", 8)], ["A #7", "A #8"]),
        ([("A", 7), ("A", 7), ("A", 7)], ["A #7", "A #7 ~2", "A #7 ~3"]),
        ([("A", None), ("A", None)], ["A", "A ~2"]),
        ([("A", 7), ("A", None)], ["A #7", "A"]),
        ([("A #7", 1), ("A", 7), ("A", 8)], ["A #7", "A #7 ~2", "A #8"]),
        ([("A ~2", 1), ("A", None), ("A", None)], ["A ~2", "A", "A ~3"]),
        ([("", 1), ("unnamed", 2)], ["unnamed #1", "unnamed #2"]),
    ],
)
def test_two_syncs_never_have_one_name(
    sources: list[tuple[str, int | None]], expected: list[str]
) -> None:
    assert named(*sources) == expected


def test_a_long_name_is_cut_with_a_hash_of_the_whole() -> None:
    one, other = named(("x" * 5000, 1), ("x" * 4999 + "y", 1))
    assert len(one) == len(other) == 200
    assert one != other
    assert one[:191] == other[:191] == "x" * 191
    assert named(("x" * 200, 1)) == ["x" * 200]


def test_long_equal_names_stay_apart() -> None:
    found = named(*[("x" * 5000, 1)] * 3)
    assert len(set(found)) == 3
    assert max(map(len, found)) == 200


PIECES = st.sampled_from(["A", "A ~2", "A #1", "", "unnamed", "x" * 199, "x" * 250, "\n", "é"])


@given(st.lists(st.tuples(PIECES | st.text(), st.none() | st.integers(0, 3)), max_size=30))
def test_names_are_unique_short_stable_and_on_one_line(
    sources: list[tuple[str, int | None]],
) -> None:
    found = named(*sources)
    assert len(set(found)) == len(sources)
    assert all(0 < len(name) <= 200 and name == name.strip() for name in found)
    assert not any(set(name) & set("\n\r\t\x1b\x9b\u2028\u202e") for name in found)
    assert named(*sources) == found


def test_ten_thousand_equal_names_take_no_quadratic_time() -> None:
    assert len(set(named(*[("A", 1)] * 10_000))) == 10_000
