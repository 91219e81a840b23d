"""One round: whom to ask, in which scope."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from nexhealth_exporter.errors import PollError
from nexhealth_exporter.fleet import Round
from nexhealth_exporter.model import Institution, Inventory, Poll, Sync
from nexhealth_exporter.plan import Plan, Scope
from nexhealth_exporter.poller.asking import Asking, Tally, guarded, why
from nexhealth_exporter.poller.budget import Budget
from nexhealth_exporter.poller.latest import Latest
from nexhealth_exporter.poller.left_out import LeftOut
from nexhealth_exporter.poller.ports import Api, Meter
from nexhealth_exporter.poller.rest import Rest, now

logger = logging.getLogger(__name__)

FLEET_REFUSED = frozenset({400, 403, 404})
"""Answers to the fleet call that say: ask by institution. Anything else may pass."""

_LONG = 60.0
"""Seconds; of a round that is over sooner nothing is told before."""


class Rounds:
    """Polls everybody once, each time it is told to.

    `left_out` are the institutions that the latest good answer about the fleet lacks;
    `is_fleet_refused` is True while the key may not ask for the whole fleet.
    """

    def __init__(
        self,
        api: Api,
        latest: Latest,
        rest: Rest,
        *,
        asking: Asking,
        budget: Budget,
        meter: Meter,
        clock: Callable[[], float],
    ) -> None:
        self.left_out = LeftOut()
        self.is_fleet_refused = False
        self._api = api
        self._latest = latest
        self._rest = rest
        self._budget = budget
        self._asking = asking
        self._meter = meter
        self._clock = clock

    async def poll(self, made: Plan, spread: float) -> None:
        """One round by this plan, spread over so many seconds."""
        began = now()
        tally = Tally(self._meter)
        watched = {s.institution.subdomain: s.institution for s in self._latest.fleet}
        telling = asyncio.create_task(self._tell_meanwhile(tally, made.interval))
        try:
            if made.scope is Scope.FLEET:
                await self._by_fleet(watched, made, spread, tally)
            else:
                await self._asking.each(list(watched.values()), spread, tally)
        finally:
            telling.cancel()
        is_idle = not self._latest.fleet.standings
        ended = self._round(now() - began, is_up=tally.answered > 0 or is_idle)
        self._latest.ended(ended)
        _log(ended, len(self._latest.fleet.standings), tally)

    async def _tell_meanwhile(self, tally: Tally, interval: float) -> None:
        """After each interval that the round lasts, tell whether the API could be used in it.

        A 429 may ask for minutes, and so may each of the next ones: such a round takes hours.
        Where nothing was asked, as when the budget is spent, nothing new is known. Never ends.
        """
        began = now()
        while True:
            answered, failed = tally.answered, tally.failed.total()
            await asyncio.sleep(max(interval, _LONG))
            is_answered = tally.answered > answered
            if is_answered or tally.failed.total() > failed:
                self._latest.lasts(self._round(now() - began, is_up=is_answered))

    def _round(self, duration: float, *, is_up: bool) -> Round:
        return Round(self._clock(), duration, is_up=is_up and self._api.held_token)

    async def try_fleet_again(self, inventory: Inventory) -> bool:
        """Ask for the fleet once, whether it answers: the key may have been given the call since.

        Only another refusal keeps the institutions being asked one by one.
        """
        try:
            await self._ask_fleet(inventory)
        except PollError as error:
            Tally(self._meter).add(error)
            self.is_fleet_refused = error.status in FLEET_REFUSED
            logger.warning("fleet call still failing", extra=why(error))
            return False
        self.is_fleet_refused = False
        return True

    async def _by_fleet(
        self, watched: Mapping[str, Institution], made: Plan, spread: float, tally: Tally
    ) -> None:
        """One call for all, then those alone that its answer leaves out."""
        try:
            answer = await self._ask_fleet(Inventory(watched))
            at = self._clock()
            polls = (Poll(s, at, syncs) for s, syncs in answer.items())
            await guarded(self._latest.record_all(polls))
        except PollError as error:
            await self._without_fleet(error, watched, spread, tally)
            return
        tally.answered += 1
        left_out = {s: i for s, i in watched.items() if s not in answer}
        del answer, polls  # megabytes, and those that are left out may take the whole interval
        self.left_out.keep(left_out)
        spare = self._budget.spare
        due = self.left_out.due(left_out, now(), made.seldom_interval, spare)
        # Known to have none: the fleet's answer confirms it.
        confirmed = [s for s in left_out.keys() - set(due) if self.left_out.is_known_empty(s)]
        await self._latest.record_all(Poll(subdomain, at, ()) for subdomain in confirmed)
        found = await self._asking.each([left_out[s] for s in due], spread, tally)
        self.left_out.asked(found)

    async def _ask_fleet(self, inventory: Inventory) -> Mapping[str, tuple[Sync, ...]]:
        await self._budget.turn()
        self._rest.alive(self._api.patience)
        with self._budget.asking():
            return await guarded(self._api.fleet(inventory))

    async def _without_fleet(
        self,
        error: PollError,
        watched: Mapping[str, Institution],
        spread: float,
        tally: Tally,
    ) -> None:
        tally.add(error)
        if error.status in FLEET_REFUSED:
            self.is_fleet_refused = True
            logger.warning("fleet call refused, polling by institution", extra=why(error))
            await self._asking.each(list(watched.values()), spread, tally)
            return
        logger.warning("fleet call failed, keeping last known answers", extra=why(error))
        at = self._clock()
        alone = {s: i for s, i in watched.items() if self.left_out.has_syncs(s)}
        await self._latest.record_all(
            Poll(subdomain, at, failure=error.reason)
            for subdomain in watched
            if subdomain not in alone
        )
        await self._asking.each(list(alone.values()), spread, tally)


def _log(ended: Round, institutions: int, tally: Tally) -> None:
    facts = {
        "institutions": institutions,
        "seconds": round(ended.duration, 3),
        **{f"failed_{reason}": count for reason, count in tally.failed.items()},
    }
    if tally.failed:
        logger.warning("round finished with failures", extra=facts)
    else:
        logger.info("round finished", extra=facts)
