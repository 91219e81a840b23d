"""From polls to the fleet: the one value that changes."""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from nexhealth_exporter.errors import OtherFailure
from nexhealth_exporter.fleet import Fleet, Memory, Policy, Round
from nexhealth_exporter.model import Inventory, Poll
from nexhealth_exporter.poller.ports import Meter
from nexhealth_exporter.poller.rest import now

logger = logging.getLogger(__name__)

INCIDENT_SECONDS = 5.0
"""How often incidents are looked for within a round: each look reads every sync."""

BATCH = 20
"""Institutions that change together where all of them do: others wait for so many."""

STALE_INTERVALS = 3
"""A known answer is served for at least so many intervals without a good poll."""


class Latest:
    """The latest `fleet`, judged by a policy.

    A fault of ours in judging one institution is logged with its traceback: it spoils the poll
    of that institution, which counts as failed, and no other.
    """

    def __init__(self, fleet: Fleet, policy: Policy, meter: Meter) -> None:
        self.fleet = fleet
        self._policy = policy
        self._given, self._interval = policy, 0.0
        self._meter = meter
        self._looked_for_incidents = 0.0
        self._polled_at = math.inf
        self._judging: asyncio.Task[None] | None = None

    def judge_by(self, policy: Policy) -> None:
        """Judge by another policy: answers at once, what is known a few institutions at a time."""
        self._given = policy
        self._policy = self._lasting()
        if self._judging is not None:
            self._judging.cancel()
        self._judging = asyncio.get_running_loop().create_task(self._judge_anew())

    def polled_every(self, interval: float) -> None:
        """Polls of each institution come so many seconds apart."""
        self._interval = interval
        self._policy = self._lasting()

    async def _judge_anew(self) -> None:
        subdomains = list(self.fleet.standings)
        for first in range(0, len(subdomains), BATCH):
            self._rejudge(subdomains[first : first + BATCH])
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
        self.fleet = self.fleet.recalling(memories, self._policy).with_incidents(self._polled_at)

    def watch(self, inventory: Inventory) -> None:
        """Know exactly these institutions."""
        self.fleet = self.fleet.watching(inventory, self._policy)

    def ended(self, finished: Round) -> None:
        """A round is over."""
        self.fleet = self.fleet.after_round(finished)

    def record(self, poll: Poll) -> None:
        """Let the fleet follow a poll."""
        self._take([poll])
        if now() - self._looked_for_incidents > INCIDENT_SECONDS:
            self._looked_for_incidents = now()
            self.fleet = self.fleet.with_incidents(self._polled_at)

    async def record_all(self, polls: Iterable[Poll]) -> None:
        """Let the fleet follow many, a few at a time: others get their turn between.

        Incidents are looked for when the round ends: half an answer tells little of them.
        """
        several = iter(polls)
        while batch := list(islice(several, BATCH)):
            self._take(batch)
            await asyncio.sleep(0)

    def _take(self, polls: Sequence[Poll]) -> None:
        self._polled_at = polls[-1].at
        try:
            self.fleet = self.fleet.after(polls, self._policy)
        except Exception:
            if len(polls) > 1:
                for one in polls:
                    self._take([one])
                return
            (poll,) = polls
            logger.exception("judging failed", extra={"institution": poll.subdomain})
            self._meter.poll_failed(OtherFailure.reason)
            failed = Poll(poll.subdomain, poll.at, failure=OtherFailure.reason)
            self.fleet = self.fleet.after([failed], self._policy)

    def _lasting(self) -> Policy:
        """The policy under which an answer outlives a few polls, however far apart they are."""
        stale_after = max(self._given.stale_after, STALE_INTERVALS * self._interval)
        return replace(self._given, stale_after=stale_after)
