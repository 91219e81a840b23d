"""How institutions are polled: scope, interval, the calls that costs, and which shard does it."""

import hashlib
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

MONTH = 30 * 86400.0
SPREAD = 0.75
"""The part of an interval over which a round's polls are spread; the rest is for retries."""

STALE_INTERVALS = 3
"""A known answer is served for at least so many intervals without a good poll."""

_EARNED = 0.95
"""The part of the budget that plans may spend; the rest is for bursts of retries."""

_LEAST_LEFT = 5.0
"""Calls of which that rest consists at least, of a small budget too.

What is spent keeps to that. The plan of less than a hundred calls, where some institutions are
asked alone, may project a few more: rarer rounds would not make up for what turns and tokens cost.
"""

_LEAST_EARNED = 0.25
"""The part of the budget that plans may spend however small it is: else nothing was asked."""

_SPENT = 0.9
"""The part of the budget that a stretched plan spends, so that some retries do not slow it."""

SELDOM = 0.25
"""The part of the budget that may go to institutions of which no sync is known."""

LISTED = 0.25
"""The part of the budget that may go to the inventory, its tokens included."""

TOKEN_LIFE = 0.9 * 3600.0
"""Seconds after which a token is replaced when NexHealth gives one for an hour."""

_SELDOM_RATE = 0.5
"""The part of the rate that may go to institutions of which no sync is known."""

_LEAST = 0.05
"""The part of the budget that rounds cost at the longest interval that is looked at."""

_PRECISION = 1e-4
"""How exactly a stretched interval is found, as a part of it."""

_ROUNDING = 1e-6
"""What products of fractions may lack of a whole."""

_TOKENS_FOLLOWED = 1000
"""Tokens that are followed one by one; of an hour each there are 800 in 30 days."""


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

    @property
    def limit(self) -> float:
        """How many calls in 30 days are kept to, whatever happens; 0 is unlimited."""
        return self.budget if self.scope is Scope.AUTO else 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done: `projected` calls in 30 days, one round every `interval` seconds.

    `calls_per_round` are those of every round. Beside them each of the `seldom` institutions
    without a sync is asked alone every `seldom_interval` seconds, in turn. `stretched_by` says
    what made the interval longer than asked: "rate", "budget" or "".
    """

    scope: Scope
    interval: float
    inventory_interval: float
    calls_per_round: int
    seldom: int
    seldom_interval: float
    projected: float = 0.0
    stretched_by: str = ""

    def kept(self, interval: float) -> "Plan":
        """The same at the interval (seconds) that was really kept."""
        rounds = MONTH / interval - MONTH / self.interval
        projected = self.projected + rounds * self.calls_per_round
        return replace(self, interval=interval, projected=projected)


def earned(budget: float) -> float:
    """How many calls plans may spend of a budget; the rest is for bursts of retries."""
    return max(min(_EARNED * budget, budget - _LEAST_LEFT), _LEAST_EARNED * budget)


@lru_cache(maxsize=64)
def plan(
    pace: Pace,
    institutions: int,
    *,
    alone: int = 0,
    seldom: int = 0,
    fleet_refused: bool = False,
    token_life: float = TOKEN_LIFE,
) -> Plan:
    """The plan for that many institutions.

    `alone` are those with syncs that the fleet answer leaves out, `seldom` those without;
    `fleet_refused` is True while the key may not ask for the whole fleet. `token_life` is how
    long (seconds) a token serves. In scope auto the plan never costs more than the budget:
    rather are rounds less frequent.
    """
    costs = _Costs(token_life, 3 if fleet_refused else 2)
    by_institution = costs.priced(_plan(pace, Scope.INSTITUTION, institutions))
    if pace.scope is Scope.INSTITUTION:
        return by_institution
    is_affordable = not pace.budget or by_institution.projected <= earned(pace.budget)
    if fleet_refused or (pace.scope is Scope.AUTO and is_affordable):
        return _within_budget(pace, by_institution, costs)
    by_fleet = costs.priced(_plan(pace, Scope.FLEET, 1 + alone, seldom))
    return _within_budget(pace, by_fleet, costs)


def _plan(pace: Pace, scope: Scope, calls: int, seldom: int = 0) -> Plan:
    rate = pace.rate * SPREAD
    seldom_interval = _seldom_interval(pace, seldom)
    needed = calls / (rate - seldom / seldom_interval)
    return Plan(
        scope=scope,
        interval=max(pace.interval, needed),
        inventory_interval=_inventory_interval(pace),
        calls_per_round=calls,
        seldom=seldom,
        seldom_interval=seldom_interval,
        stretched_by="rate" if needed > pace.interval else "",
    )


def _seldom_interval(pace: Pace, seldom: int) -> float:
    by_rate = seldom / (_SELDOM_RATE * SPREAD * pace.rate)
    by_budget = MONTH * seldom / (SELDOM * pace.limit) if pace.limit else 0.0
    return max(pace.inventory_interval, by_rate, by_budget)


def _inventory_interval(pace: Pace) -> float:
    by_budget = 3 * MONTH / (LISTED * pace.limit) if pace.limit else 0.0
    return max(pace.inventory_interval, by_budget)


def _within_budget(pace: Pace, found: Plan, costs: "_Costs") -> Plan:
    """The same plan with rounds as frequent as the budget allows."""
    if not pace.limit or found.projected <= earned(pace.limit):
        return found
    spent = min(_SPENT * pace.limit, _EARNED * earned(pace.limit))
    low = found.interval
    high = max(2 * low, MONTH * found.calls_per_round / (_LEAST * pace.limit))
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        made = costs.priced(replace(found, interval=middle))
        low, high = (middle, high) if made.projected > spent else (low, middle)
    return replace(costs.priced(replace(found, interval=high)), stretched_by="budget")


@dataclass(frozen=True, slots=True)
class _Costs:
    """What a plan costs: a token serves so many seconds, an inventory takes so many calls."""

    token_life: float
    calls_per_inventory: int

    def priced(self, made: Plan) -> Plan:
        """The plan with its price."""
        projected = (
            MONTH / made.interval * made.calls_per_round
            + MONTH / made.inventory_interval * self.calls_per_inventory
            + MONTH / made.seldom_interval * made.seldom
            + self._tokens(made)
        )
        return replace(made, projected=projected)

    def _tokens(self, made: Plan) -> float:
        """How often in 30 days a question meets a token that is to be replaced."""
        tokens, at = 0, 0.0
        while at < MONTH and tokens < _TOKENS_FOLLOWED:
            tokens += 1
            at = _next_question(made, at + self.token_life)
        return tokens * max(MONTH / at, 1.0)


def _next_question(made: Plan, at: float) -> float:
    """The first instant from `at` on (seconds since the start) at which anything is asked."""
    listed = math.ceil(at / made.inventory_interval) * made.inventory_interval
    if not made.calls_per_round:
        return listed
    number, since = divmod(at, made.interval)
    asked = _asked_alone(made, int(number))
    gap = SPREAD * made.interval / max(asked, 1)
    position = math.ceil(since / gap)
    is_in_round = position < asked or since == 0
    in_round = min(position * gap, made.interval) if is_in_round else made.interval
    return min(number * made.interval + in_round, listed)


def _asked_alone(made: Plan, number: int) -> int:
    """How many institutions are asked alone in the round of that number."""
    share = made.seldom * made.interval / made.seldom_interval
    seldom = int(number * share + _ROUNDING) - int((number - 1) * share + _ROUNDING)
    return made.calls_per_round - (made.scope is Scope.FLEET) + seldom


def shard_of(subdomain: str, shards: int) -> int:
    """The shard that watches this institution, by rendezvous hashing.

    From n to n+1 shards only institutions of the new shard move.
    """
    return max(range(shards), key=lambda shard: _score(subdomain, shard))


def _score(subdomain: str, shard: int) -> bytes:
    return hashlib.sha256(f"{subdomain}/{shard}".encode()).digest()
