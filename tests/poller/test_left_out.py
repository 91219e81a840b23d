"""Who is asked alone, and when, of those that the fleet's answer leaves out."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from nexhealth_exporter.model import Sync
from nexhealth_exporter.poller.left_out import LeftOut

ONE = (Sync("SD #1", None),)


@settings(max_examples=40)
@given(
    number=st.integers(1, 60),
    every=st.integers(60, 3600),
    intervals=st.floats(1, 40),
    spare=st.integers(1, 60) | st.none(),
)
def test_each_without_a_sync_is_asked_once_in_the_seldom_interval(
    number: int, every: int, intervals: float, spare: int | None
) -> None:
    left_out = LeftOut()
    names = [f"office-{n}" for n in range(number)]
    seldom = intervals * every
    asked: Counter[str] = Counter()
    rounds = [left_out_round(left_out, names, n * every, seldom, spare) for n in range(200)]

    # As soon as each has been asked once they take turns: no round asks more than its share.
    known = 1 if spare is None else -(-number // spare)
    for round_ in rounds[known:]:
        asked.update(round_)
        assert len(round_) <= number / intervals + 1
    times = (200 - known) / intervals
    for name in names:
        assert abs(asked[name] - times) <= 2


def left_out_round(
    left_out: LeftOut, names: list[str], at: float, seldom: float, spare: int | None
) -> list[str]:
    left_out.keep(names)
    due = left_out.due(names, at, seldom, spare)
    left_out.asked(dict.fromkeys(due, ()))
    return due


def test_those_with_syncs_are_asked_each_time_even_after_a_failure() -> None:
    left_out = LeftOut()
    names = ["has", "has-not", "silent"]
    assert left_out.due(names, 0, 3600, None) == names
    left_out.asked({"has": ONE, "has-not": (), "silent": None})
    assert left_out.due(names, 300, 3600, None) == ["has"]
    left_out.asked({"has": None})
    assert left_out.due(names, 600, 3600, None) == ["has"]
    assert (left_out.with_syncs, left_out.without_syncs) == (1, 2)
    assert [name for name in names if left_out.is_known_empty(name)] == ["has-not"]


def test_one_that_the_fleet_answers_for_again_is_forgotten() -> None:
    left_out = LeftOut()
    left_out.due(["a", "b"], 0, 3600, None)
    left_out.asked({"a": ONE, "b": ()})
    left_out.keep(["b"])
    assert (left_out.with_syncs, left_out.without_syncs) == (0, 1)
    assert left_out.due(["a", "b"], 300, 3600, None) == ["a"]
