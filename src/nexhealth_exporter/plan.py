"""How institutions are polled: scope, interval, the calls that costs, and which shard does it."""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

MONTH = 30 * 86400.0
SPREAD = 0.75
"""The part of an interval over which a round's polls are spread; the rest is for retries."""

SPENT = 0.9
"""The part of the budget that a stretched plan spends; the rest is for retries."""

SELDOM = 0.25
"""The part of the budget that may go to institutions of which no sync is known."""

_TOKEN_LIFE = 0.9 * 3600.0
"""Seconds after which a token is replaced when NexHealth gives one for an hour."""


class Scope(StrEnum):
    """One call for each institution, or one for the whole fleet; auto decides by the budget."""

    AUTO = "auto"
    INSTITUTION = "institution"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Pace:
    """What the operator allows. Seconds; `rate` is calls a second; a budget of 0 is unlimited."""

    scope: Scope
    interval: float
    inventory_interval: float
    rate: float
    budget: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done: `projected` calls in 30 days, one round every `interval` seconds.

    `seldom_interval` is how often (seconds) an institution without a sync is asked alone.
    `stretched_by` says what made the interval longer than asked: "rate", "budget" or "".
    """

    scope: Scope
    interval: float
    calls_per_round: int
    projected: float
    seldom_interval: float
    stretched_by: str


def plan(
    pace: Pace,
    institutions: int,
    *,
    alone: int = 0,
    seldom: int = 0,
    fleet_refused: bool = False,
) -> Plan:
    """The plan for that many institutions.

    `alone` are those with syncs that the fleet answer leaves out, `seldom` those without;
    `fleet_refused` is True while the key may not ask for the whole fleet. In scope auto the
    plan never costs more than the budget: rather are rounds less frequent.
    """
    by_institution = _plan(pace, Scope.INSTITUTION, institutions)
    if pace.scope is Scope.INSTITUTION:
        return by_institution
    is_affordable = not pace.budget or by_institution.projected <= pace.budget
    if fleet_refused or (pace.scope is Scope.AUTO and is_affordable):
        return _within_budget(pace, by_institution)
    return _within_budget(pace, _plan(pace, Scope.FLEET, 1 + alone, seldom))


def _plan(pace: Pace, scope: Scope, calls: int, seldom: int = 0) -> Plan:
    needed = calls / pace.rate / SPREAD
    made = Plan(
        scope=scope,
        interval=max(pace.interval, needed),
        calls_per_round=calls,
        projected=0.0,
        seldom_interval=_seldom_interval(pace, seldom),
        stretched_by="rate" if needed > pace.interval else "",
    )
    return _priced(pace, made, seldom)


def _seldom_interval(pace: Pace, seldom: int) -> float:
    if pace.scope is not Scope.AUTO or not pace.budget:
        return pace.inventory_interval
    return max(pace.inventory_interval, MONTH * seldom / (SELDOM * pace.budget))


def _priced(pace: Pace, made: Plan, seldom: int) -> Plan:
    asides = _overhead(pace) + MONTH / made.seldom_interval * seldom
    return replace(made, projected=asides + MONTH / made.interval * made.calls_per_round)


def _within_budget(pace: Pace, found: Plan) -> Plan:
    if pace.scope is not Scope.AUTO or not pace.budget or found.projected <= pace.budget:
        return found
    rounds = MONTH / found.interval * found.calls_per_round
    asides = found.projected - rounds
    left = max(SPENT * pace.budget - asides, 1.0)
    interval = MONTH * found.calls_per_round / left
    return replace(found, interval=interval, projected=asides + left, stretched_by="budget")


def _overhead(pace: Pace) -> float:
    """Calls in 30 days for tokens, institutions and locations."""
    return MONTH / _TOKEN_LIFE + 2 * MONTH / pace.inventory_interval


def shard_of(subdomain: str, shards: int) -> int:
    """The shard that watches this institution, by rendezvous hashing.

    From n to n+1 shards only institutions of the new shard move.
    """
    return max(range(shards), key=lambda shard: _score(subdomain, shard))


def _score(subdomain: str, shard: int) -> bytes:
    return hashlib.sha256(f"{subdomain}/{shard}".encode()).digest()
