"""From polls to the fleet: the one value that changes."""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from nexhealth_exporter.errors import OtherFailure
from nexhealth_exporter.fleet import Fleet, Memory, Policy, Round
from nexhealth_exporter.model import Inventory, Poll
from nexhealth_exporter.plan import STALE_INTERVALS
from nexhealth_exporter.poller.ports import Meter
from nexhealth_exporter.poller.rest import now

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
"""Answers that come within this time change the fleet together: a copy for each would not scale."""

INCIDENT_SECONDS = 5.0
"""How often incidents are looked for within a round: each look reads every sync."""

BATCH, BATCHES = 20, 500
"""Institutions that change together where all of them do: others wait for so many.

Of a fleet so large that there would be more batches than that, more change together: the fleet is
copied for each of them.
"""


class Latest:
    """The latest `fleet`, judged by a policy; `interval` (seconds) is how often polls come.

    A fault of ours in judging one institution is logged with its traceback: it spoils the poll
    of that institution, which counts as failed, and no other.
    """

    def __init__(self, fleet: Fleet, policy: Policy, meter: Meter) -> None:
        self.fleet = fleet
        self.interval = 0.0
        self._policy = policy
        self._meter = meter
        self._pending: list[Poll] = []
        self._flush: asyncio.TimerHandle | None = None
        self._looked_for_incidents = 0.0
        self._polled_at = math.inf
        self._judging: asyncio.Task[None] | None = None

    def judge_by(self, policy: Policy) -> None:
        """Judge by another policy: new answers at once, what is known a few at a time."""
        self.apply()
        self._policy = policy
        if self._judging is not None:
            self._judging.cancel()
        self._judging = asyncio.get_running_loop().create_task(self._judge_anew())

    async def _judge_anew(self) -> None:
        subdomains, size = list(self.fleet.standings), self._batch
        for first in range(0, len(subdomains), size):
            self._rejudge(subdomains[first : first + size])
            await asyncio.sleep(0)
        self.fleet = self.fleet.with_incidents(self._polled_at)

    def _rejudge(self, subdomains: Sequence[str]) -> None:
        try:
            self.fleet = self.fleet.rejudged(self._policy, subdomains)
        except Exception:
            if len(subdomains) > 1:
                for one in subdomains:
                    self._rejudge([one])
            else:
                logger.exception("judging failed", extra={"institution": subdomains[0]})

    def recall(self, memories: Mapping[str, Memory]) -> None:
        """Take over what was learned elsewhere, and judge by it at once."""
        self.apply()
        self.fleet = self.fleet.recalling(memories, self._policy).with_incidents(self._polled_at)

    def watch(self, inventory: Inventory) -> None:
        """Know exactly these institutions."""
        self.apply()
        self.fleet = self.fleet.watching(inventory, self._policy)

    def ended(self, finished: Round) -> None:
        """A round is over."""
        self.apply()
        self.fleet = self.fleet.after_round(finished)

    def record(self, poll: Poll) -> None:
        """Take note of a poll; the fleet follows within a moment."""
        self._pending.append(poll)
        self._polled_at = poll.at
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.apply)

    async def record_all(self, polls: Iterable[Poll]) -> None:
        """Take note of many, a few at a time: others get their turn between.

        Incidents are looked for when the round ends: half an answer tells little of them.
        """
        size = self._batch
        for number, poll in enumerate(polls, 1):
            self.record(poll)
            if number % size == 0:
                self._looked_for_incidents = now()
                self.apply()
                await asyncio.sleep(0)

    def apply(self) -> None:
        """Let the fleet follow all polls that were taken note of."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if not self._pending:
            return
        polls, self._pending = self._pending, []
        self._take(polls)
        if now() - self._looked_for_incidents > INCIDENT_SECONDS:
            self._looked_for_incidents = now()
            self.fleet = self.fleet.with_incidents(self._polled_at)

    def _take(self, polls: Sequence[Poll]) -> None:
        try:
            self.fleet = self.fleet.after(polls, self._lasting())
        except Exception:
            if len(polls) > 1:
                for one in polls:
                    self._take([one])
                return
            (poll,) = polls
            logger.exception("judging failed", extra={"institution": poll.subdomain})
            self._meter.poll_failed(OtherFailure.reason)
            failed = Poll(poll.subdomain, poll.at, failure=OtherFailure.reason)
            self.fleet = self.fleet.after([failed], self._lasting())

    @property
    def _batch(self) -> int:
        return max(BATCH, len(self.fleet.standings) // BATCHES)

    def _lasting(self) -> Policy:
        """The policy under which an answer outlives a few polls, however far apart they are."""
        stale_after = max(self._policy.stale_after, STALE_INTERVALS * self.interval)
        return replace(self._policy, stale_after=stale_after)
