"""Single values of an answer: what is taken, and what makes no sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexhealth_exporter.nexhealth.scalars import flag, instant, integer, text, words
from nexhealth_exporter.nexhealth.text import scrubbed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "told",
    [
        "2020-06-05T20:16:57.007Z",
        "2020-06-05T20:16:57.007000Z",
        "2020-06-05T20:16:57.007",
        "2020-06-05 20:16:57.007",
        "2020-06-05T20:16:57.007+00:00",
        "2020-06-05T16:16:57.007-04:00",
        "2020-06-05T16:16:57.007-0400",
        "2020-06-05T16:16:57.007-04",
        "2020-06-05t20:16:57.007z",
        "2020-06-05 20:16:57.007 UTC",
        "2020-06-05 20:16:57.007 +0000",
        "2020-06-05T20:16:57,007Z",
        "  2020-06-05T20:16:57.007Z ",
    ],
)
def test_a_mark_is_read_in_every_common_spelling(told: str) -> None:
    assert instant(told) == pytest.approx(1591388217.007, abs=1e-6)


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2020-06-05T20:16:57Z", 1591388217.0),
        ("2020-06-05T20:16Z", 1591388160.0),
        ("0001-01-01T00:00:00Z", -62135596800.0),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
        ("9999-12-31T23:59:59Z", 253402300799.0),
        ("9999-12-31T23:59:59-12:00", 253402343999.0),
    ],
)
def test_a_mark_is_taken_as_it_is_however_unlikely(told: str, at: float) -> None:
    assert instant(told) == at


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        "null",
        "never",
        "2020-06-05",
        "20:16:57",
        "2020-13-05T20:16:57Z",
        "2020-06-05T25:16:57Z",
        "0000-00-00T00:00:00Z",
        "12020-06-05T20:16:57Z",
        "2020-06-05T20:16:57+99:99",
        "2020-06-05T20:16:57Z" * 1000,
        "\uff12\uff10\uff12\uff10-06-05T20:16:57Z",
        "2020-06-05T20:16:57Z\ud800",
        1591388217,
        1591388217.5,
        True,
        [],
        {"year": 2020},
    ],
)
def test_a_mark_that_cannot_be_read_is_none(told: object) -> None:
    assert instant(told) is None


@pytest.mark.parametrize(
    ("told", "number"),
    [(7, 7), ("7", 7), (" 7 ", 7), (7.0, 7), (0, 0), (2**63 - 1, 2**63 - 1)],
)
def test_whole_numbers_come_as_numbers_or_as_digits(told: object, number: int) -> None:
    assert integer(told) == number


@pytest.mark.parametrize(
    "told", [None, "", "x", "7.5", 7.5, -1, "-1", True, 2**63, "9" * 5000, [], {}, "\u0667", 1e300]
)
def test_what_is_no_whole_number_is_none(told: object) -> None:
    assert integer(told) is None


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("  Dentrix ", "Dentrix"),
        (42, "42"),
        ("two\nlines", "two lines"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("tab\tnul\x00bell\x07", "tab nul bell"),
        ("c1\x9b31m", "c1 31m"),
        ("line\u2028paragraph\u2029", "line paragraph"),
        ("ab\u202ecd\u202c", "abcd"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ('quote " and \\ stay', 'quote " and \\ stay'),
        (
            "\U0001f469\u200d\u2695\ufe0f doctor",
            "\U0001f469\u200d\u2695\ufe0f doctor",
        ),
        ("Praxis M\u00fcller", "Praxis M\u00fcller"),
        (None, ""),
        (True, ""),
        (["a"], ""),
        ({"a": 1}, ""),
    ],
)
def test_text_is_shown_without_what_a_terminal_or_a_browser_would_obey(
    told: object, shown: str
) -> None:
    assert text(told) == shown


@given(JSON)
def test_no_value_at_all_makes_a_scalar_raise(value: object) -> None:
    for read in (instant, integer, text, flag, words):
        read(value)
    assert "\n" not in text(value)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (None, ""),
        ("plain", "plain"),
        ([], ""),
        (["one", "two"], "one; two"),
        ([["one", ["two"]], "three"], "one; two; three"),
        ([{"street": "Elm"}, "one", 5], "one; 5"),
    ],
)
def test_description_and_error_are_flattened_whatever_they_are(told: object, said: str) -> None:
    assert words(told) == said


def test_words_that_are_shown_hold_no_secret_and_nobody_s_address() -> None:
    key, token = "key-123", "eyJhbGciOi.J9.x"  # gitleaks:allow
    said = f"{key} of {token}, {'A1b2' * 20}, mail jane.doe@office.invalid, call +1 (555) 010-9999"
    shown = scrubbed(said, (key, token, ""))
    assert shown == "(secret) of (secret), (opaque), mail (address) call (number)"
    assert len(scrubbed("a b " * 1000, ())) == 300


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "You don't have access to perform this action.",
            "You don't have access to perform this action.",
        ),
        (
            "API version 'v2' is below the minimum allowed: v20240412",
            "API version 'v2' is below the minimum allowed: v20240412",
        ),
        (
            "The following parameters are ignored: per_page.",
            "The following parameters are ignored: per_page.",
        ),
        ("Status 500", "Status 500"),
        (
            "No sync at 12 Elm Street, Springfield NY 10001-1234",
            "No sync at 12 (name) (name), (name) (name) (number)",
        ),
        ("BAD HOMBURG is closed", "(name) (name) is closed"),
        ("Location Köln, 50667", "Location (name), (number)"),
        ("Suite S123, ask for O'Neill", "(name) (number), ask for (name)"),
    ],
)
def test_words_that_are_shown_name_no_place_and_no_person(said: str, shown: str) -> None:
    assert scrubbed(said, ()) == shown


@pytest.mark.parametrize(("told", "is_set"), [(True, True), ("true", True), (1, True), ("TRUE", 1)])
def test_a_flag_is_set_by_any_spelling_of_true(told: object, is_set: bool) -> None:
    assert flag(told) == is_set


@pytest.mark.parametrize("told", [False, None, 0, "false", "", "yes", [], {}])
def test_a_flag_is_not_set_by_anything_else(told: object) -> None:
    assert flag(told) is False
