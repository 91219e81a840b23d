"""Scope, interval, price, and whose an institution is."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as altered

from nexhealth_exporter.plan import MONTH, Pace, Scope, plan, shard_of

DEFAULT = Pace(
    scope=Scope.AUTO, interval=300.0, inventory_interval=3600.0, rate=1000 / 60, budget=30_000.0
)


@pytest.mark.parametrize(
    ("institutions", "scope"), [(1, "institution"), (3, "institution"), (4, "fleet")]
)
def test_auto_polls_by_institution_while_that_fits_the_budget(
    institutions: int, scope: str
) -> None:
    assert plan(DEFAULT, institutions).scope == scope


def test_without_a_budget_auto_polls_by_institution() -> None:
    made = plan(altered(DEFAULT, budget=0.0), 1000)

    assert (made.scope, made.calls_per_round) == (Scope.INSTITUTION, 1000)


def test_a_round_that_cannot_fit_the_rate_stretches_the_interval() -> None:
    made = plan(altered(DEFAULT, scope=Scope.INSTITUTION), 10_000)

    assert made.stretched_by == "rate"
    assert made.interval == pytest.approx(800.0)


def test_an_explicit_scope_is_kept_whatever_it_costs() -> None:
    made = plan(altered(DEFAULT, scope=Scope.INSTITUTION), 100)

    assert made.interval == 300
    assert made.projected > 100 * MONTH / 300


@given(
    institutions=st.integers(0, 20_000),
    alone=st.integers(0, 50),
    seldom=st.integers(0, 5_000),
    fleet_refused=st.booleans(),
    budget=st.integers(20, 1_000_000),
    interval=st.floats(1, 3600),
)
def test_auto_never_costs_more_than_its_budget(
    institutions: int, alone: int, seldom: int, *, fleet_refused: bool, budget: int, interval: float
) -> None:
    pace = altered(DEFAULT, budget=float(budget), interval=interval)

    made = plan(pace, institutions, alone=alone, seldom=seldom, fleet_refused=fleet_refused)

    assert made.projected <= budget + 1e-6
    assert made.interval >= interval


@pytest.mark.parametrize("budget", [1_000, 30_000])
def test_rounds_are_as_frequent_as_nine_tenths_of_the_budget_allow(budget: int) -> None:
    made = plan(altered(DEFAULT, interval=10.0, budget=float(budget)), 100)

    assert made.stretched_by == "budget"
    assert 0.89 * budget < made.projected <= 0.9 * budget


def test_shards_are_chosen_as_documented() -> None:
    # The highest SHA-256 of "subdomain/shard": anybody can compute it.
    digests = [hashlib.sha256(f"smiles/{shard}".encode()).hexdigest() for shard in range(3)]

    assert shard_of("smiles", 3) == digests.index(max(digests))


def test_institutions_without_a_sync_are_paid_for() -> None:
    made = plan(DEFAULT, 100, seldom=80)

    without = plan(DEFAULT, 100)
    price = 80 * MONTH / made.seldom_interval
    assert made.projected - without.projected == pytest.approx(price)
    assert price == pytest.approx(DEFAULT.budget / 4)


def test_asking_whether_the_fleet_call_is_granted_again_is_paid_for() -> None:
    unlimited = altered(DEFAULT, budget=0.0)
    granted, refused = (plan(unlimited, 10, fleet_refused=refused) for refused in (False, True))

    asked = MONTH / DEFAULT.inventory_interval
    assert refused.scope is granted.scope is Scope.INSTITUTION
    assert refused.projected - granted.projected == pytest.approx(asked)


@pytest.mark.parametrize(
    ("interval", "inventory_interval", "token_life", "tokens"),
    [
        (300, 3600, 3240, 786),  # met by the question after 54 minutes: one in 55
        (1800, 3600, 3240, 720),
        (7200, 3600, 3240, 720),
        (300, 3600, 0.9 * 86400, 34),
        (86400, 86400, 3240, 30),
        (1, 3600, 9, 288_000),
    ],
)
def test_a_token_is_paid_for_when_a_question_meets_it_after_its_life(
    interval: float, inventory_interval: float, token_life: float, tokens: int
) -> None:
    pace = altered(
        DEFAULT, scope=Scope.FLEET, interval=interval, inventory_interval=inventory_interval
    )

    made = plan(pace, 100, token_life=token_life)

    others = MONTH / interval + 2 * MONTH / inventory_interval
    assert made.projected - others == pytest.approx(tokens, rel=0.01)


def test_the_interval_really_kept_is_what_counts() -> None:
    made = plan(altered(DEFAULT, scope=Scope.FLEET), 100)

    assert made.at_interval(600.0).projected == pytest.approx(made.projected - MONTH / 600)


def test_a_round_has_room_for_those_that_take_turns() -> None:
    made = plan(altered(DEFAULT, scope=Scope.FLEET, budget=0.0), 0, alone=1000, seldom=20_000)

    assert made.calls_per_round == 1 + 1000
    assert made.seldom_interval == DEFAULT.inventory_interval
    share = made.seldom * made.interval / made.seldom_interval
    assert made.interval * 0.75 * DEFAULT.rate >= made.calls_per_round + share - 1e-6
