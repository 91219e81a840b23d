"""When inventories and rounds are due, and by which plan."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence

from nexhealth_exporter.errors import Forbidden, NotFound, PollError
from nexhealth_exporter.fleet import Fleet, Memory, Policy, Round
from nexhealth_exporter.model import Answer, Institution, Inventory
from nexhealth_exporter.plan import SPREAD, Pace, Plan, plan
from nexhealth_exporter.poller.asking import Asking, fields_of, guarded
from nexhealth_exporter.poller.budget import Budget
from nexhealth_exporter.poller.heartbeat import STALLED_SECONDS, Heartbeat, monotonic
from nexhealth_exporter.poller.latest import Latest
from nexhealth_exporter.poller.ports import Api, Meter
from nexhealth_exporter.poller.rounds import Rounds
from nexhealth_exporter.poller.sleeper import Sleeper, either

logger = logging.getLogger(__name__)

HURRIED = 0.9
"""Share of the rate that a first round uses; a tenth of the calls may be retries."""

MINUTE = 60.0

LOOK_SECONDS = 30.0
"""While the first inventory is awaited, a round counts as failed at least this often."""

LONGEST_LISTING = 86400.0
"""Seconds after which an inventory is stuck; 50 calls before it may each cause a long pause."""

AGAIN = 1 / 60
"""Share of the inventory interval after which an inventory that failed is first taken again."""

ADVANCE = 0.5
"""Share of the budget that the first round may spend in advance."""


class Poller:
    """Polls at its own pace and keeps the latest `Fleet`; a scrape never causes a call.

    `watches` tells which institutions this process polls; `concurrency` limits the polls in
    flight. `clock` gives POSIX seconds. `remembering` is a fleet that holds what was learned, and
    `answers` are the last ones before a restart, the oldest first: they are served until the API
    answers.
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
        answers: Sequence[Answer] = (),
    ) -> None:
        self._api = api
        self._pace = pace
        self._watches = watches
        self._meter = meter
        self._clock = clock
        self._latest = Latest(remembering or Fleet(), policy, meter)
        self._heartbeat = Heartbeat()
        self._sleeper = Sleeper(self._heartbeat)
        self._budget = Budget(pace.limit, lambda: api.calls_sent, self._sleeper)
        asking = Asking(
            api,
            self._latest,
            self._heartbeat,
            sleeper=self._sleeper,
            budget=self._budget,
            concurrency=concurrency,
            clock=clock,
        )
        self._rounds = Rounds(
            api,
            self._latest,
            asking=asking,
            budget=self._budget,
            meter=meter,
            clock=clock,
        )
        self._answers = answers
        self._inventory: Inventory | None = None
        self._is_listed = False
        """Whether the inventory came from the API, and not from before a restart."""
        self._attempted = asyncio.Event()
        self._list_again = asyncio.Event()
        self._ended = asyncio.Event()
        self._plan: Plan | None = None
        self._listing_due = math.inf

    @property
    def latest(self) -> Fleet:
        """What is known now."""
        return self._latest.fleet

    async def run(self) -> None:
        """Poll until cancelled."""
        self._heartbeat.beat()
        await self._resume()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_inventories())
            group.create_task(self._poll_rounds())

    async def _resume(self) -> None:
        """Serve the answers from before a restart: what was overdue then still is."""
        answers, self._answers = self._answers, ()
        # If this shard has another number now, all of them may belong to others.
        if any(self._watches(answer.institution) for answer in answers):
            known = Inventory({a.institution.subdomain: a.institution for a in answers})
            self._api.recall(known)
            self._watch(known)
            await self._latest.resume(answers, self._clock())

    async def once(self) -> Fleet:
        """Take the inventory, poll everything once, and return what was found.

        Raises the error of the inventory: without it there is nothing to ask about.
        """
        self._watch(await self._api.inventory())
        made = self._make_plan()
        with self._budget.lending(math.inf):
            await self._rounds.poll(made, self._burst(made))
        return self.latest

    async def round_ended(self) -> None:
        """Wait until a round ends."""
        await self._ended.wait()

    def is_alive(self) -> bool:
        """Tell whether polling goes on; False once rounds or inventories are stuck."""
        return self._heartbeat.is_alive() and monotonic() - self._listing_due < STALLED_SECONDS

    def reload(self, policy: Policy, watches: Callable[[Institution], bool]) -> None:
        """Judge by a new policy at once; what is watched follows with the next round."""
        self._watches = watches
        self._latest.judge_by(policy)
        if self._inventory is not None:
            self._watch(self._inventory)

    def list_again(self) -> None:
        """List the institutions soon, without waiting until the next inventory is due."""
        self._list_again.set()

    def recall(self, memories: Mapping[str, Memory]) -> None:
        """Take over what was learned elsewhere, and judge by it at once."""
        self._latest.recall(memories)

    # The inventory

    async def _take_inventories(self) -> None:
        failed = 0
        while True:
            # Waiting for the budget may take days; that is not being stuck.
            self._listing_due = math.inf
            await self._budget.turn()
            self._list_again.clear()
            self._listing_due = monotonic() + LONGEST_LISTING
            with self._budget.asking():
                failed = 0 if await self._take_inventory() else failed + 1
            wait = self._until_next(failed)
            self._listing_due = monotonic() + wait
            await either(self._list_again, wait)

    def _until_next(self, failed: int) -> float:
        """Seconds until the next inventory, after so many in a row that failed or lack something.

        Those are taken again soon, but ever less often, down to the usual interval. While none was
        ever taken, nothing but what was known before a restart is polled: then always soon.
        """
        made = self._plan if self._is_listed else None
        if made is None:
            return min(self._pace.interval, MINUTE)
        usual = made.inventory_interval
        return min(usual, AGAIN * usual * 2.0 ** min(failed - 1, 10)) if failed else usual

    async def _take_inventory(self) -> bool:
        """Take the inventory once; whether it is complete."""
        try:
            inventory = await guarded(self._api.inventory())
        except PollError as error:
            self._meter.poll_failed(error.reason)
            logger.warning(
                "inventory failed, keeping last known institutions", extra=fields_of(error)
            )
            return False
        finally:
            self._attempted.set()
        for lacking in self._api.unlisted:
            # A key may be allowed only one of the endpoints: then it is not refused.
            if not isinstance(lacking, Forbidden | NotFound):
                self._meter.poll_failed(lacking.reason)
        self._is_listed = True
        self._watch(inventory)
        if self._rounds.is_fleet_refused and await self._rounds.try_fleet_again(inventory):
            self._make_plan()
            self._sleeper.wake()
        return not self._api.unlisted

    def _watch(self, inventory: Inventory) -> None:
        self._inventory = inventory
        mine = {i.subdomain: i for i in inventory if self._watches(i)}
        if not mine:
            others = "all are left out or belong to other shards"
            cause = others if inventory else "the key sees none"
            facts = {"institutions": len(inventory)}
            logger.warning("no institutions watched: %s", cause, extra=facts)
        self._latest.watch(Inventory(mine))
        self._rounds.left_out.keep(mine)
        self._make_plan()

    # The rounds

    async def _poll_rounds(self) -> None:
        await self._wait_for_inventory()
        is_first = True
        while True:
            self._heartbeat.beat()
            self._sleeper.settle()
            began = monotonic()
            made = self._make_plan()
            if is_first:
                with self._budget.lending(self._in_advance):
                    await self._rounds.poll(made, self._burst(made))
            else:
                await self._rounds.poll(made, SPREAD * made.interval)
            is_first = False
            self._ended.set()
            self._ended.clear()
            # The round itself may have changed the plan.
            made = self._make_plan()
            self._tell_kept(made, monotonic() - began)
            await self._sleeper.sleep(began + made.interval - monotonic())

    async def _wait_for_inventory(self) -> None:
        """Wait for the first inventory; an attempt that fails or takes long is a failed round.

        Returns at once if the institutions are known from before a restart.
        """
        while True:
            self._heartbeat.beat()
            await either(self._attempted, min(self._pace.interval, LOOK_SECONDS))
            self._attempted.clear()
            if self._inventory is not None:
                return
            self._latest.ended(Round(self._clock(), 0.0, is_up=False))

    def _burst(self, made: Plan) -> float:
        """Seconds over which to spread the first round: 0 if it fits the limit per minute.

        Otherwise it would use up the first minute's limit at once, and everything else would wait;
        the spread leaves some of the rate to retries.
        """
        is_small = made.calls_per_round <= MINUTE * self._pace.rate
        return 0.0 if is_small else made.calls_per_round / (HURRIED * self._pace.rate)

    @property
    def _in_advance(self) -> float:
        """Calls that the first round may spend in advance: one per institution."""
        return min(len(self.latest.standings), ADVANCE * self._pace.limit)

    # The plan

    def _make_plan(self) -> Plan:
        rounds = self._rounds
        made = plan(
            self._pace,
            len(self.latest.standings),
            alone=rounds.left_out.with_syncs,
            seldom=rounds.left_out.without_syncs,
            fleet_refused=rounds.is_fleet_refused,
            token_life=self._api.token_life,
        )
        if made != self._plan:
            self._plan = made
            self._latest.polled_every(made.interval)
            self._meter.planned(made)
            _log_plan(made, self._pace)
        return made

    def _tell_kept(self, made: Plan, taken: float) -> None:
        """Publish the interval that is really kept; a slow API makes it longer than planned."""
        if taken > made.interval:
            logger.warning("round took longer than its interval", extra={"seconds": round(taken)})
        self._meter.planned(made.at_interval(max(made.interval, taken)))


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
            "round does not fit the %s, stretching the poll interval",
            "rate limit" if made.stretched_by == "rate" else "budget of calls",
            extra=facts,
        )
    elif 0 < pace.budget < made.projected:
        # The operator chose the scope, so it is kept, whatever it costs.
        logger.warning("polling planned, with more calls than the budget", extra=facts)
    else:
        logger.info("polling planned", extra=facts)
