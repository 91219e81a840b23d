"""How institutions are polled: scope, interval, what that costs in calls, and by which shard."""

import hashlib
import math
from enum import StrEnum
from functools import lru_cache

import msgspec
from msgspec.structs import replace as altered

MONTH = 30 * 86400.0
SPREAD = 0.75
"""Share of an interval over which the polls of a round are spread; the rest is for retries."""

STALE_INTERVALS = 3
"""The last known answer is served for at least so many intervals without a successful poll."""

_PLANNED_SHARE = 0.95
"""Share of the budget that plans may spend; the rest is a reserve for bursts of retries."""

_LEAST_RESERVE = 5.0
"""The reserve is at least so many calls, of a small budget too.

Spending keeps to it. A plan for fewer than a hundred calls in which some institutions are polled
alone may project a few more: rarer rounds would not make up for the cost of turns and tokens.
"""

_LEAST_PLANNED_SHARE = 0.25
"""Share that plans may spend of any budget, however small: otherwise nothing would be polled."""

_STRETCHED_SHARE = 0.9
"""Share of the budget that a stretched plan spends, so that a few retries do not delay rounds."""

_SELDOM_SHARE = 0.25
"""Share of the budget that may go to institutions without a known sync."""

_INVENTORY_SHARE = 0.25
"""Share of the budget that may go to the inventory, including its tokens."""

TOKEN_LIFE = 0.9 * 3600.0
"""Seconds after which a token that is valid for an hour is replaced."""

_SELDOM_RATE_SHARE = 0.5
"""Share of the rate that may go to institutions without a known sync."""

_LEAST_ROUNDS_SHARE = 0.05
"""Share of the budget that rounds cost at the longest interval that the search considers."""

_PRECISION = 1e-4
"""Relative precision with which a stretched interval is found."""

ROUNDING = 1e-6
"""Tolerance for rounding errors in a share of institutions that grows to a whole number."""

_MOST_TOKENS = 1000
"""Tokens that are simulated one by one; 30 days take 800 that are valid for an hour."""


class Scope(StrEnum):
    """One call per institution, or one for the whole fleet; auto decides by the budget."""

    AUTO = "auto"
    INSTITUTION = "institution"
    FLEET = "fleet"


class Pace(msgspec.Struct, frozen=True):
    """What the operator allows: seconds, calls per second, calls in 30 days (0 is unlimited)."""

    scope: Scope
    interval: float
    inventory_interval: float
    rate: float
    budget: float

    @property
    def limit(self) -> float:
        """Calls in 30 days that are never exceeded, whatever happens; 0 is unlimited."""
        return self.budget if self.scope is Scope.AUTO else 0.0


class Plan(msgspec.Struct, frozen=True):
    """One round every `interval` seconds, which takes `projected` calls in 30 days.

    Every round makes `calls_per_round` calls. In addition, the `seldom` institutions without a
    sync are asked in turn, each once every `seldom_interval` seconds. `stretched_by` is what made
    the interval longer than configured: "rate", "budget" or "".
    """

    scope: Scope
    interval: float
    inventory_interval: float
    calls_per_round: int
    seldom: int
    seldom_interval: float
    projected: float = 0.0
    stretched_by: str = ""

    def at_interval(self, interval: float) -> "Plan":
        """The same plan at another interval (seconds), such as the one that was really kept."""
        rounds = MONTH / interval - MONTH / self.interval
        projected = self.projected + rounds * self.calls_per_round
        return altered(self, interval=interval, projected=projected)


def spendable(budget: float) -> float:
    """How many calls of a budget plans may spend; the rest is a reserve for bursts of retries."""
    return max(min(_PLANNED_SHARE * budget, budget - _LEAST_RESERVE), _LEAST_PLANNED_SHARE * budget)


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

    Of the institutions that the fleet answer leaves out, `alone` have syncs and `seldom` have
    none. `fleet_refused` is True while the key may not ask for the whole fleet. `token_life` is
    how long (seconds) a token is used. In scope auto a plan never costs more than the budget:
    rounds become less frequent instead.
    """
    costs = _Costs(token_life, 3 if fleet_refused else 2)
    by_institution = costs.priced(_plan(pace, Scope.INSTITUTION, institutions))
    if pace.scope is Scope.INSTITUTION:
        return by_institution
    is_affordable = not pace.budget or by_institution.projected <= spendable(pace.budget)
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
    by_rate = seldom / (_SELDOM_RATE_SHARE * SPREAD * pace.rate)
    by_budget = MONTH * seldom / (_SELDOM_SHARE * pace.limit) if pace.limit else 0.0
    return max(pace.inventory_interval, by_rate, by_budget)


def _inventory_interval(pace: Pace) -> float:
    by_budget = 3 * MONTH / (_INVENTORY_SHARE * pace.limit) if pace.limit else 0.0
    return max(pace.inventory_interval, by_budget)


def _within_budget(pace: Pace, found: Plan, costs: "_Costs") -> Plan:
    """The same plan, with rounds only as frequent as the budget allows."""
    if not pace.limit or found.projected <= spendable(pace.limit):
        return found
    spent = min(_STRETCHED_SHARE * pace.limit, _PLANNED_SHARE * spendable(pace.limit))
    low = found.interval
    high = max(2 * low, MONTH * found.calls_per_round / (_LEAST_ROUNDS_SHARE * pace.limit))
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        made = costs.priced(altered(found, interval=middle))
        low, high = (middle, high) if made.projected > spent else (low, middle)
    return altered(costs.priced(altered(found, interval=high)), stretched_by="budget")


class _Costs(msgspec.Struct, frozen=True):
    """What a plan costs, given how long a token is used and how many calls an inventory takes."""

    token_life: float
    calls_per_inventory: int

    def priced(self, made: Plan) -> Plan:
        """The plan with `projected` filled in."""
        projected = (
            MONTH / made.interval * made.calls_per_round
            + MONTH / made.inventory_interval * self.calls_per_inventory
            + MONTH / made.seldom_interval * made.seldom
            + self._tokens(made)
        )
        return altered(made, projected=projected)

    def _tokens(self, made: Plan) -> float:
        """How many tokens 30 days need: a new one whenever a call finds the old one too old."""
        tokens, at = 0, 0.0
        while at < MONTH and tokens < _MOST_TOKENS:
            tokens += 1
            at = _next_call(made, at + self.token_life)
        return tokens * max(MONTH / at, 1.0)


def _next_call(made: Plan, at: float) -> float:
    """When the first call from `at` on is due; both in seconds since the start."""
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
    """How many institutions are asked one by one in the round of that number."""
    share = made.seldom * made.interval / made.seldom_interval
    seldom = int(number * share + ROUNDING) - int((number - 1) * share + ROUNDING)
    return made.calls_per_round - (made.scope is Scope.FLEET) + seldom


def shard_of(subdomain: str, shards: int) -> int:
    """The shard that watches this institution, by rendezvous hashing.

    From n to n+1 shards only institutions of the new shard move.
    """
    return max(range(shards), key=lambda shard: _score(subdomain, shard))


def _score(subdomain: str, shard: int) -> bytes:
    return hashlib.sha256(f"{subdomain}/{shard}".encode()).digest()
