"""Asking about every institution, round after round."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from nexhealth_exporter.errors import OtherFailure, PollError
from nexhealth_exporter.fleet import Fleet, Memory, Policy, Round
from nexhealth_exporter.model import Institution, Inventory, Poll, Sync
from nexhealth_exporter.plan import SPREAD, Pace, Plan, Scope, plan

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
"""Answers that come within this time change the fleet together: a copy for each would not scale."""

INCIDENT_SECONDS = 5.0
"""How often incidents are looked for within a round: each look reads every sync."""

BATCH = 200
"""Answers of one fleet call that change the fleet together."""

STALLED_SECONDS = 300.0
"""Without a sign of life for this long the poller counts as stuck."""

MINUTE = 60.0

TICK_SECONDS = 30.0
"""The longest sleep, so that a resting poller gives a sign of life this often."""

FLEET_REFUSED = frozenset({400, 403, 404})
"""Answers to the fleet call that say: ask by institution. Anything else may pass."""


STALE_INTERVALS = 3
"""A known answer is served for at least so many intervals without a good poll."""


class Api(Protocol):
    """What the poller needs of NexHealth; each call raises a leaf of `PollError`."""

    @property
    def held_token(self) -> bool:
        """Whether an unexpired token is at hand."""

    async def inventory(self) -> Inventory:
        """Ask for every institution the key can see."""

    async def syncs(self, institution: Institution) -> tuple[Sync, ...]:
        """Ask for the syncs of one institution."""

    async def fleet(self, inventory: Inventory) -> Mapping[str, tuple[Sync, ...]]:
        """Ask for the syncs of every institution in one call; by subdomain."""


class Meter(Protocol):
    """What the poller reports."""

    def poll_failed(self, reason: str) -> None:
        """One poll failed for this reason."""

    def planned(self, plan: Plan) -> None:
        """Rounds now follow this plan."""


@dataclass(frozen=True, slots=True)
class _Alone:
    """An institution that the fleet answer leaves out: when it was asked, what it has.

    `is_known` is False while it was asked in vain, so that nothing is known of it.
    """

    asked_at: float
    has_syncs: bool
    is_known: bool


class Poller:
    """Polls on its own clock and keeps the latest `Fleet`; a scrape never makes it call.

    `watches` tells which institutions are this process's; `concurrency` bounds the polls
    in flight. `clock` gives POSIX seconds. `remembering` is a fleet that knows what was learned.
    """

    def __init__(
        self,
        api: Api,
        pace: Pace,
        policy: Policy,
        *,
        watches: Callable[[Institution], bool],
        concurrency: int,
        meter: Meter,
        clock: Callable[[], float],
        remembering: Fleet | None = None,
    ) -> None:
        self.latest = remembering or Fleet()
        self._api = api
        self._pace = pace
        self._policy = policy
        self._watches = watches
        self._concurrency = concurrency
        self._meter = meter
        self._clock = clock
        self._inventory: Inventory | None = None
        self._found = asyncio.Event()
        self._attempted = asyncio.Event()
        self._wake = asyncio.Event()
        self._alone: dict[str, _Alone] = {}
        self._is_fleet_refused = False
        self._plan: Plan | None = None
        self._pending: list[Poll] = []
        self._flush: asyncio.TimerHandle | None = None
        self._looked_for_incidents = 0.0
        self._alive_at = 0.0

    async def run(self) -> None:
        """Poll until cancelled."""
        self._alive_at = _now()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._inventories())
            group.create_task(self._rounds())

    async def once(self) -> Fleet:
        """Take the inventory, poll everything once, and return what was found.

        Raises the error of the inventory: without it there is nothing to ask about.
        """
        self._watch(await self._api.inventory())
        await self._round(self._burst(self._make_plan()))
        return self.latest

    def is_alive(self) -> bool:
        """Tell whether polling goes on; False once it is stuck."""
        return _now() - self._alive_at < STALLED_SECONDS

    def reload(self, policy: Policy, watches: Callable[[Institution], bool]) -> None:
        """Judge by a new policy at once; what is watched follows with the next round."""
        self._apply()
        self._policy = policy
        self._watches = watches
        self.latest = self.latest.rejudged(policy).with_incidents()
        if self._inventory is not None:
            self._watch(self._inventory)

    def recall(self, memories: Mapping[str, Memory]) -> None:
        """Take over what was learned elsewhere, and judge by it at once."""
        self._apply()
        self.latest = self.latest.recalling(memories, self._policy).with_incidents()

    # The inventory

    async def _inventories(self) -> None:
        while True:
            await self._take_inventory()
            pace = self._pace
            known = self._found.is_set()
            await asyncio.sleep(pace.inventory_interval if known else min(pace.interval, 60.0))

    async def _take_inventory(self) -> None:
        try:
            inventory = await self._api.inventory()
        except PollError as error:
            self._meter.poll_failed(error.reason)
            logger.warning("inventory failed, going on with what is known", extra=_why(error))
            return
        finally:
            self._attempted.set()
        if self._inventory is not None and len(self._inventory) and not len(inventory):
            logger.warning("the inventory is suddenly empty, going on with what is known")
            return
        self._watch(inventory)
        if self._is_fleet_refused:
            await self._try_fleet_again(inventory)

    async def _try_fleet_again(self, inventory: Inventory) -> None:
        """Ask for the fleet once: the key may have been given the call since."""
        try:
            await self._api.fleet(inventory)
        except PollError as error:
            self._meter.poll_failed(error.reason)
            return
        self._is_fleet_refused = False
        self._make_plan()
        self._wake.set()

    def _watch(self, inventory: Inventory) -> None:
        self._inventory = inventory
        mine = {i.subdomain: i for i in inventory if self._watches(i)}
        self._apply()
        self.latest = self.latest.watching(Inventory(mine), self._policy)
        self._alone = {s: alone for s, alone in self._alone.items() if s in mine}
        self._make_plan()
        self._found.set()

    def _make_plan(self) -> Plan:
        with_syncs = sum(alone.has_syncs for alone in self._alone.values())
        made = plan(
            self._pace,
            len(self.latest.standings),
            alone=with_syncs,
            seldom=len(self._alone) - with_syncs,
            fleet_refused=self._is_fleet_refused,
        )
        if made != self._plan:
            self._plan = made
            self._meter.planned(made)
            _log_plan(made, self._pace)
        return made

    # Rounds

    async def _rounds(self) -> None:
        is_first = True
        while True:
            self._alive_at = began = _now()
            if not self._found.is_set():
                await self._wait_for_inventory()
                continue
            self._wake.clear()
            made = self._make_plan()
            await self._round(self._burst(made) if is_first else SPREAD * made.interval)
            is_first = False
            # The round itself may have changed the plan.
            made = self._make_plan()
            self._tell_kept(made, _now() - began)
            await self._sleep(began + made.interval - _now())

    def _tell_kept(self, made: Plan, taken: float) -> None:
        """Publish the interval that is really kept: a slow API makes it longer than planned."""
        if taken > made.interval:
            logger.warning("a round took longer than its interval", extra={"seconds": round(taken)})
        self._meter.planned(replace(made, interval=max(made.interval, taken)))

    def _burst(self, made: Plan) -> float:
        """Seconds for the first round: none if a minute's limit holds it, else as few as may be.

        Without that the limit of the first minute would be used up at once, and all would wait.
        """
        is_small = made.calls_per_round <= MINUTE * self._pace.rate
        return 0.0 if is_small else made.calls_per_round / self._pace.rate

    async def _round(self, spread: float) -> None:
        began = _now()
        made = self._make_plan()
        failures: Counter[str] = Counter()
        if made.scope is Scope.FLEET:
            succeeded = await self._fleet_round(spread, failures)
        else:
            everybody = [standing.institution for standing in self.latest]
            succeeded = _answered(await self._ask_each(everybody, spread, failures))
        self._apply()
        is_idle = not self.latest.standings
        ended = Round(
            ended_at=self._clock(),
            duration=_now() - began,
            is_up=self._api.held_token and (succeeded > 0 or is_idle),
        )
        self.latest = self.latest.after_round(ended)
        _log_round(ended, len(self.latest.standings), failures)

    async def _fleet_round(self, spread: float, failures: Counter[str]) -> int:
        """One call for all, then those alone that its answer leaves out; how many succeeded."""
        watched = {standing.institution.subdomain: standing.institution for standing in self.latest}
        try:
            answer = await self._api.fleet(Inventory(watched))
        except PollError as error:
            return await self._without_fleet(error, watched, spread, failures)
        at = self._clock()
        await self._record_all(Poll(subdomain, at, syncs) for subdomain, syncs in answer.items())
        left_out = [i for subdomain, i in watched.items() if subdomain not in answer]
        before = self._alone
        self._alone = {i.subdomain: before[i.subdomain] for i in left_out if i.subdomain in before}
        asked = [i for i in left_out if self._is_due(i, at)]
        for institution in left_out:
            alone = self._alone.get(institution.subdomain)
            if institution not in asked and alone is not None and alone.is_known:
                # Known to have none: the fleet answer confirms it.
                self._record(Poll(institution.subdomain, at, ()))
        found = await self._ask_each(asked, spread, failures)
        self._alone |= {
            subdomain: self._asked_alone(subdomain, syncs) for subdomain, syncs in found.items()
        }
        return 1 + _answered(found)

    def _asked_alone(self, subdomain: str, syncs: tuple[Sync, ...] | None) -> _Alone:
        before = self._alone.get(subdomain)
        if syncs is None:
            # In vain: what had syncs is asked again in every round, what had none seldom.
            return _Alone(self._clock(), before is not None and before.has_syncs, is_known=False)
        return _Alone(self._clock(), has_syncs=bool(syncs), is_known=True)

    async def _without_fleet(
        self,
        error: PollError,
        watched: Mapping[str, Institution],
        spread: float,
        failures: Counter[str],
    ) -> int:
        self._failed(error, failures)
        if error.status in FLEET_REFUSED:
            self._is_fleet_refused = True
            logger.warning("fleet call refused, polling by institution", extra=_why(error))
            return _answered(await self._ask_each(list(watched.values()), spread, failures))
        at = self._clock()
        alone = [i for s, i in watched.items() if s in self._alone and self._alone[s].has_syncs]
        await self._record_all(
            Poll(institution.subdomain, at, failure=error.reason)
            for institution in watched.values()
            if institution not in alone
        )
        return _answered(await self._ask_each(alone, spread, failures))

    def _is_due(self, institution: Institution, at: float) -> bool:
        alone = self._alone.get(institution.subdomain)
        if alone is None or alone.has_syncs:
            return True
        return self._plan is None or at - alone.asked_at >= self._plan.seldom_interval

    async def _ask_each(
        self, institutions: Sequence[Institution], spread: float, failures: Counter[str]
    ) -> dict[str, tuple[Sync, ...] | None]:
        """Poll each, a bounded number at a time, evenly over `spread` seconds.

        By subdomain, what was found; None where the poll failed. A wake-up breaks it off.
        """
        began = _now()
        gap = spread / max(len(institutions), 1)
        queue = iter(enumerate(institutions))
        found: dict[str, tuple[Sync, ...] | None] = {}

        async def work() -> None:
            for position, institution in queue:
                await self._sleep(began + position * gap - _now())
                if self._wake.is_set():
                    return
                found[institution.subdomain] = await self._ask(institution, failures)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(institutions))):
                group.create_task(work())
        return found

    async def _ask(
        self, institution: Institution, failures: Counter[str]
    ) -> tuple[Sync, ...] | None:
        subdomain = institution.subdomain
        try:
            syncs = await self._api.syncs(institution)
        except PollError as error:
            logger.debug("poll failed", extra={"institution": subdomain, **_why(error)})
            self._did_not_answer(subdomain, error, failures)
        except Exception as error:
            # The top of a task: an answer that meets a fault of ours spoils its own poll only.
            logger.exception("poll failed unexpectedly", extra={"institution": subdomain})
            self._did_not_answer(subdomain, OtherFailure(str(error)), failures)
        else:
            self._record(Poll(subdomain, self._clock(), syncs))
            return syncs
        return None

    def _did_not_answer(self, subdomain: str, error: PollError, failures: Counter[str]) -> None:
        self._failed(error, failures)
        self._record(Poll(subdomain, self._clock(), failure=error.reason))

    def _failed(self, error: PollError, failures: Counter[str]) -> None:
        failures[error.reason] += 1
        self._meter.poll_failed(error.reason)

    # From polls to the fleet

    def _record(self, poll: Poll) -> None:
        self._alive_at = _now()
        self._pending.append(poll)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._apply)

    def _apply(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if not self._pending:
            return
        polls, self._pending = self._pending, []
        self.latest = self.latest.after(polls, self._lasting())
        if _now() - self._looked_for_incidents > INCIDENT_SECONDS:
            self._looked_for_incidents = _now()
            self.latest = self.latest.with_incidents()

    async def _record_all(self, polls: Iterable[Poll]) -> None:
        """Record many, a few at a time: others get their turn between."""
        for number, poll in enumerate(polls, 1):
            self._record(poll)
            if number % BATCH == 0:
                self._apply()
                await asyncio.sleep(0)

    def _lasting(self) -> Policy:
        """The policy under which an answer outlives a few polls, however far apart they are."""
        interval = self._plan.interval if self._plan else 0.0
        stale_after = max(self._policy.stale_after, STALE_INTERVALS * interval)
        return replace(self._policy, stale_after=stale_after)

    # Waiting

    async def _sleep(self, seconds: float) -> None:
        """Sleep, giving signs of life; a wake-up ends it."""
        until = _now() + seconds
        while (left := until - _now()) > 0 and not self._wake.is_set():
            self._alive_at = _now()
            await _any(self._wake, min(left, TICK_SECONDS))

    async def _wait_for_inventory(self) -> None:
        """Wait for the next attempt at one; if it fails, or takes long, so does the round."""
        await _any(self._attempted, min(self._pace.interval, TICK_SECONDS))
        self._attempted.clear()
        if not self._found.is_set():
            self.latest = self.latest.after_round(Round(self._clock(), 0.0, is_up=False))


async def _any(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _answered(found: Mapping[str, tuple[Sync, ...] | None]) -> int:
    return sum(syncs is not None for syncs in found.values())


def _now() -> float:
    return asyncio.get_running_loop().time()


def _why(error: PollError) -> dict[str, str]:
    return {"reason": error.reason, "error": str(error)}


def _log_plan(made: Plan, pace: Pace) -> None:
    facts = {
        "scope": made.scope.value,
        "interval_seconds": round(made.interval, 1),
        "calls_per_round": made.calls_per_round,
        "calls_projected_30d": round(made.projected),
        "calls_budget_30d": round(pace.budget),
    }
    if made.stretched_by:
        logger.warning(
            "a round does not fit the %s: the poll interval is stretched",
            "rate limit" if made.stretched_by == "rate" else "budget of calls",
            extra=facts,
        )
    else:
        logger.info("polling planned", extra=facts)


def _log_round(ended: Round, institutions: int, failures: Counter[str]) -> None:
    facts = {
        "institutions": institutions,
        "seconds": round(ended.duration, 3),
        **{f"failed_{reason}": count for reason, count in failures.items()},
    }
    if failures:
        logger.warning("round ended with failures", extra=facts)
    else:
        logger.info("round ended", extra=facts)
