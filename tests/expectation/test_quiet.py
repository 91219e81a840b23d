"""Which quiet stretches are kept, and which of them speak for a silence."""

import pytest

from nexhealth_exporter.expectation.quiet import (
    KEPT_IN_ALL,
    KEPT_OF_HOUR,
    OVERNIGHT,
    Quiet,
    are_near,
    longest,
    usual_from,
)


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (10, 13, True),
        (10, 14, False),
        (47, 1, True),
        (2, 46, False),
        (OVERNIGHT, OVERNIGHT, True),
        (OVERNIGHT, 0, False),
        (1, OVERNIGHT, False),
    ],
)
def test_hours_are_near_around_the_clock_and_a_night_is_near_itself_alone(
    one: int, other: int, near: bool
) -> None:
    assert are_near(one, other) is are_near(other, one) is near


def test_once_at_this_hour_counts_and_at_two_hours_for_any_but_a_night() -> None:
    quiets = longest(
        [Quiet(1, 9000, OVERNIGHT), Quiet(1, 5000, 6), Quiet(2, 4000, 30), Quiet(3, 3000, 40)]
    )

    assert usual_from(quiets, 7) == 5000
    assert usual_from(quiets, 20) == usual_from(quiets, None) == 4000
    assert usual_from(quiets, OVERNIGHT) == 0
    assert usual_from([*quiets, Quiet(2, 2000, OVERNIGHT)], OVERNIGHT) == 2000
    assert usual_from(longest([Quiet(1, 5000, 0)]), None) == 0


def test_what_comes_again_at_one_hour_says_nothing_of_the_others() -> None:
    nightly = longest([Quiet(1, 5000, 6), Quiet(2, 4800, 7)])

    assert usual_from(nightly, 6) == 5000
    assert usual_from(nightly, 20) == usual_from(nightly, None) == 0
    assert usual_from([*nightly, Quiet(3, 1500, 30)], 20) == 1500


def test_the_longest_of_each_hour_are_kept() -> None:
    nightly = [Quiet(day, 7000 + day, 6) for day in range(9)]
    others = [Quiet(1, 3000 + slot, slot) for slot in range(12, 48, 2)]

    kept = longest([*others, *nightly])

    assert [q.seconds for q in kept[:KEPT_OF_HOUR]] == [7008, 7007]
    assert len(kept) == KEPT_IN_ALL
    assert sum(q.began == 6 for q in kept) == KEPT_OF_HOUR
