"""One round of polls: which institutions are polled, in one call for the fleet or one by one."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from nexhealth_exporter.errors import PollError
from nexhealth_exporter.fleet import Round
from nexhealth_exporter.model import Institution, Inventory, Poll
from nexhealth_exporter.plan import Plan, Scope
from nexhealth_exporter.poller.asking import Asking, Tally, fields_of, guarded
from nexhealth_exporter.poller.budget import Budget
from nexhealth_exporter.poller.heartbeat import monotonic
from nexhealth_exporter.poller.latest import Latest
from nexhealth_exporter.poller.left_out import LeftOut
from nexhealth_exporter.poller.ports import Api, Meter

logger = logging.getLogger(__name__)

FLEET_REFUSED = frozenset({400, 403, 404})
"""Statuses of the fleet call after which institutions are polled one by one; any other failure
may be temporary."""

_LONG = 60.0
"""Seconds; a shorter round reports nothing before its end."""


class Rounds:
    """Polls every institution once per round.

    `left_out` are the institutions that are missing from the latest successful fleet answer;
    `is_fleet_refused` is True while the key may not use the fleet call.
    """

    def __init__(
        self,
        api: Api,
        latest: Latest,
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
        self._budget = budget
        self._asking = asking
        self._meter = meter
        self._clock = clock

    async def poll(self, made: Plan, spread: float) -> None:
        """Make one round by this plan, spread over so many seconds."""
        began = monotonic()
        tally = Tally(self._meter)
        watched = {s.institution.subdomain: s.institution for s in self._latest.fleet}
        progress = asyncio.create_task(self._report_progress(tally, made.interval))
        try:
            if made.scope is Scope.FLEET:
                await self._by_fleet(watched, made, spread, tally)
            else:
                await self._asking.each(list(watched.values()), spread, tally)
        finally:
            progress.cancel()
        is_idle = not self._latest.fleet.standings
        ended = self._round(monotonic() - began, is_up=tally.answered > 0 or is_idle)
        self._latest.ended(ended)
        _log(ended, len(self._latest.fleet.standings), tally)

    async def _report_progress(self, tally: Tally, interval: float) -> None:
        """After each interval that the round lasts, report whether the API was usable in it.

        A 429 may ask for minutes, and so may the next ones, so that a round takes hours. After an
        interval without an answer or a failure, as when the budget is spent, nothing is reported.
        Never ends.
        """
        began = monotonic()
        while True:
            answered, failed = tally.answered, tally.failed.total()
            await asyncio.sleep(max(interval, _LONG))
            is_answered = tally.answered > answered
            if is_answered or tally.failed.total() > failed:
                self._latest.lasts(self._round(monotonic() - began, is_up=is_answered))

    def _round(self, duration: float, *, is_up: bool) -> Round:
        return Round(self._clock(), duration, is_up=is_up and self._api.held_token)

    async def try_fleet_again(self, inventory: Inventory) -> bool:
        """Make the fleet call once and return whether it succeeds: the key may use it by now.

        After a refusal, institutions go on being polled one by one; after another failure, the next
        round makes the fleet call.
        """
        try:
            await self._asking.fleet(inventory)
        except PollError as error:
            Tally(self._meter).add(error)
            self.is_fleet_refused = error.status in FLEET_REFUSED
            logger.warning("fleet call still failing", extra=fields_of(error))
            return False
        self.is_fleet_refused = False
        return True

    async def _by_fleet(
        self, watched: Mapping[str, Institution], made: Plan, spread: float, tally: Tally
    ) -> None:
        """One call for all institutions, then one for each that its answer leaves out."""
        try:
            answer = await self._asking.fleet(Inventory(watched))
            at = self._clock()
            polls = (Poll(s, at, syncs) for s, syncs in answer.items())
            await guarded(self._latest.record_all(polls))
        except PollError as error:
            await self._without_fleet(error, watched, spread, tally)
            return
        tally.answered += 1
        left_out = {s: i for s, i in watched.items() if s not in answer}
        del answer, polls  # megabytes, and the calls below may take the whole interval
        self.left_out.keep(left_out)
        spare = self._budget.spare
        due = self.left_out.due(left_out, monotonic(), made.seldom_interval, spare)
        # Those known to have no syncs are missing from the fleet answer as they should be.
        confirmed = [s for s in left_out.keys() - set(due) if self.left_out.is_known_empty(s)]
        await self._latest.record_all(Poll(subdomain, at, ()) for subdomain in confirmed)
        found = await self._asking.each([left_out[s] for s in due], spread, tally)
        self.left_out.asked(found)

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
            logger.warning("fleet call refused, polling by institution", extra=fields_of(error))
            await self._asking.each(list(watched.values()), spread, tally)
            return
        logger.warning("fleet call failed, keeping last known answers", extra=fields_of(error))
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
        **tally.example,
    }
    if tally.failed:
        logger.warning("round finished with failures", extra=facts)
    else:
        logger.info("round finished", extra=facts)
