"""Asks about all institutions in one call, or one by one: evenly, a bounded number at a time."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from nexhealth_exporter.errors import OtherFailure, PollError
from nexhealth_exporter.model import Institution, Inventory, Poll, Sync
from nexhealth_exporter.poller.budget import Budget
from nexhealth_exporter.poller.heartbeat import Heartbeat, monotonic
from nexhealth_exporter.poller.latest import Latest
from nexhealth_exporter.poller.ports import Api, Meter
from nexhealth_exporter.poller.sleeper import Sleeper

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

Found = Mapping[str, tuple[Sync, ...] | None]
"""The syncs that were found, by subdomain; None where the poll failed."""


def fields_of(error: PollError) -> dict[str, str]:
    """The fields of a log line about a failed poll."""
    return {"reason": error.reason, "error": str(error)}


async def guarded(asking: Awaitable[_T], **facts: str) -> _T:
    """Await the answer. Raises PollError, also for any other exception, which is a bug.

    So a bug spoils only its own poll; it is logged with its traceback and `facts`.
    """
    try:
        return await asking
    except PollError:
        raise
    except Exception as error:
        logger.exception("poll failed unexpectedly", extra=facts)
        raise OtherFailure(f"A bug in the exporter: {type(error).__name__}.") from error


class Tally:
    """Counts the questions of a round that were answered, and those that failed, by reason.

    `example` are the fields of a log line about the first institution whose poll failed.
    """

    def __init__(self, meter: Meter) -> None:
        self.answered = 0
        self.failed: Counter[str] = Counter()
        self.example: dict[str, str] = {}
        self._meter = meter

    def add(self, error: PollError, subdomain: str | None = None) -> None:
        """Count a failed poll, of one institution or else of the whole fleet."""
        if subdomain is not None and not self.example:
            self.example = {"example_institution": subdomain, "example_error": str(error)}
        self.failed[error.reason] += 1
        self._meter.poll_failed(error.reason)


class Asking:
    """Asks within the budget; `concurrency` is the most questions in flight."""

    def __init__(
        self,
        api: Api,
        latest: Latest,
        heartbeat: Heartbeat,
        *,
        sleeper: Sleeper,
        budget: Budget,
        concurrency: int,
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._latest = latest
        self._heartbeat = heartbeat
        self._sleeper = sleeper
        self._budget = budget
        self._concurrency = concurrency
        self._clock = clock

    async def fleet(self, inventory: Inventory) -> Mapping[str, tuple[Sync, ...]]:
        """The answer about all of them in one call, by subdomain. Raises PollError."""
        await self._budget.turn()
        self._heartbeat.beat(self._api.patience)
        with self._budget.asking():
            return await guarded(self._api.fleet(inventory))

    async def each(self, institutions: Sequence[Institution], spread: float, tally: Tally) -> Found:
        """Poll each of them, evenly over `spread` seconds. A wake-up ends it early."""
        began = monotonic()
        gap = spread / max(len(institutions), 1)
        queue = iter(enumerate(institutions))
        found: dict[str, tuple[Sync, ...] | None] = {}

        async def work() -> None:
            for position, institution in queue:
                await self._sleeper.sleep(began + position * gap - monotonic())
                await self._budget.turn()
                if self._sleeper.is_woken:
                    return
                with self._budget.asking():
                    found[institution.subdomain] = await self._ask(institution, tally)
                # The next questions may wait as long again, each for a pause of its own.
                self._heartbeat.beat(self._api.patience)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(institutions))):
                group.create_task(work())
        return found

    async def _ask(self, institution: Institution, tally: Tally) -> tuple[Sync, ...] | None:
        subdomain = institution.subdomain
        self._heartbeat.beat(self._api.patience)
        try:
            syncs = await guarded(self._api.syncs(institution), institution=subdomain)
        except PollError as error:
            logger.debug("poll failed", extra={"institution": subdomain, **fields_of(error)})
            tally.add(error, subdomain)
            self._latest.record(Poll(subdomain, self._clock(), failure=error.reason))
            return None
        tally.answered += 1
        self._latest.record(Poll(subdomain, self._clock(), syncs))
        return syncs
