"""The latest fleet, the one value that changes, and how polls change it."""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from msgspec.structs import replace as altered

from nexhealth_exporter.errors import OtherFailure
from nexhealth_exporter.fleet import Fleet, Memory, Policy, Round
from nexhealth_exporter.model import Answer, Institution, Inventory, Poll
from nexhealth_exporter.plan import STALE_INTERVALS
from nexhealth_exporter.poller.heartbeat import monotonic
from nexhealth_exporter.poller.ports import Meter

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

INCIDENT_SECONDS = 5.0
"""Least time between two searches for incidents within a round: each reads every sync."""

BATCH = 20
"""Polls, or institutions, that are judged together before the event loop gets its turn.

Judged one by one, each poll would find the processor's caches full of HTTP and TLS, and take twice
the time; many more together would hold up a scrape.
"""


class Latest:
    """The latest `fleet`, judged by a policy.

    Polls are judged a few at a time, and at the latest when somebody reads the fleet.

    A bug in judging one institution is logged with its traceback and affects no other
    institution: its poll counts as failed, its learned past is not taken over, and if it is new,
    it is not watched until the next inventory. A bug in the search for incidents leaves them as
    they were.
    """

    def __init__(self, fleet: Fleet, policy: Policy, meter: Meter) -> None:
        self._fleet = fleet
        self._waiting: list[Poll] = []
        """Polls that are not applied yet, the oldest first."""
        self._policy = policy
        self._given, self._interval = policy, 0.0
        self._meter = meter
        self._looked_for_incidents = 0.0
        self._polled_at = math.inf
        self._behind: dict[str, Institution] = {}
        """Institutions, as the inventory has them now, that are still to be judged anew."""
        self._following: asyncio.Task[None] | None = None

    @property
    def fleet(self) -> Fleet:
        """The fleet after all polls so far."""
        self._apply_waiting()
        return self._fleet

    def judge_by(self, policy: Policy) -> None:
        """Judge by another policy: new answers at once, known ones a few at a time."""
        self._given = policy
        self._policy = self._lasting()
        known = (standing.institution for standing in self.fleet)
        self._catch_up({i.subdomain: i for i in known} | self._behind)

    def polled_every(self, interval: float) -> None:
        """Take note that each institution is polled every so many seconds."""
        self._interval = interval
        self._policy = self._lasting()

    def watch(self, inventory: Inventory) -> None:
        """Watch exactly these institutions; changes of known ones are applied a few at a time.

        A new time zone takes 2 ms per institution, and all may get one at once: when the list of
        locations is no longer refused.
        """
        known, told = self.fleet.standings, inventory.institutions
        as_before = {name: known[name].institution for name in told if name in known}
        self._fleet = self._changed(
            lambda fleet, those: fleet.watching(Inventory(those), self._policy),
            {**told, **as_before},
        )
        self._catch_up(
            {
                name: told[name]
                for name, before in as_before.items()
                if told[name] != before or name in self._behind
            }
        )

    def _catch_up(self, behind: dict[str, Institution]) -> None:
        self._behind = behind
        if behind and (self._following is None or self._following.done()):
            self._following = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        while self._behind:
            some = list(islice(self._behind.values(), BATCH))
            for institution in some:
                del self._behind[institution.subdomain]
            self._judge_anew(some)
            await asyncio.sleep(0)
        self._look_for_incidents(self._polled_at)

    def _judge_anew(self, institutions: Sequence[Institution]) -> None:
        try:
            self._fleet = self.fleet.rejudged(self._policy, institutions)
        except Exception:
            if len(institutions) > 1:
                for one in institutions:
                    self._judge_anew([one])
            else:
                name = institutions[0].subdomain
                logger.exception("evaluation failed", extra={"institution": name})

    def recall(self, memories: Mapping[str, Memory]) -> None:
        """Take over what was learned elsewhere, and judge by it at once."""
        self._fleet = self._changed(lambda fleet, of: fleet.recalling(of, self._policy), memories)
        self._look_for_incidents(self._polled_at)

    def _changed(
        self, change: Callable[[Fleet, Mapping[str, _T]], Fleet], told: Mapping[str, _T]
    ) -> Fleet:
        """The fleet changed by `told`, except for the institutions on which the change fails."""

        def is_sound(name: str) -> bool:
            try:
                change(self.fleet.alone(name), {name: told[name]})
            except Exception:
                logger.exception("evaluation failed", extra={"institution": name})
                return False
            return True

        with suppress(Exception):  # found and logged below, institution by institution
            return change(self.fleet, told)
        return change(self.fleet, {name: told[name] for name in told if is_sound(name)})

    def ended(self, finished: Round) -> None:
        """A round is over."""
        self._look_for_incidents(finished.ended_at)
        self._fleet = self.fleet.after_round(finished)

    def lasts(self, so_far: Round) -> None:
        """A round is not over yet; of the latest that is, everything stays but `is_up`."""
        before = self.fleet.round or so_far
        self._fleet = self.fleet.after_round(altered(before, is_up=so_far.is_up))

    def record(self, poll: Poll) -> None:
        """Apply one poll to the fleet, soon: at the latest when somebody reads the fleet."""
        self._polled_at = poll.at
        self._waiting.append(poll)
        if len(self._waiting) >= BATCH:
            self._apply_waiting()
        if monotonic() - self._looked_for_incidents > INCIDENT_SECONDS:
            self._looked_for_incidents = monotonic()
            self._look_for_incidents(self._polled_at)

    async def record_all(self, polls: Iterable[Poll]) -> None:
        """Apply many polls to the fleet; the event loop gets its turn in between.

        Incidents are searched for when the round ends: half an answer says little about them.
        """
        several = iter(polls)
        while batch := list(islice(several, BATCH)):
            self._polled_at = batch[-1].at
            self._apply_waiting()
            self._apply(batch)
            await asyncio.sleep(0)

    async def resume(self, answers: Iterable[Answer], now: float) -> None:
        """Apply answers from before a restart, those that would still be served now."""
        await self.record_all(
            Poll(answer.institution.subdomain, answer.at, answer.syncs)
            for answer in answers
            if now - self._policy.stale_after <= answer.at <= now
        )

    def _apply_waiting(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._apply(waiting)

    def _apply(self, polls: Sequence[Poll]) -> None:
        try:
            self._fleet = self._fleet.after(polls, self._policy)
        except Exception:
            if len(polls) > 1:
                for one in polls:
                    self._apply([one])
                return
            (poll,) = polls
            logger.exception("evaluation failed", extra={"institution": poll.subdomain})
            self._meter.poll_failed(OtherFailure.reason)
            failed = Poll(poll.subdomain, poll.at, failure=OtherFailure.reason)
            self._fleet = self._fleet.after([failed], self._policy)

    def _look_for_incidents(self, now: float) -> None:
        try:
            self._fleet = self.fleet.with_incidents(now)
        except Exception:
            logger.exception("incident detection failed")

    def _lasting(self) -> Policy:
        """The policy, but an answer is served for a few intervals at least."""
        stale_after = max(self._given.stale_after, STALE_INTERVALS * self._interval)
        return altered(self._given, stale_after=stale_after)
