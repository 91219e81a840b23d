"""How many calls may be made: no 30 days hold more of them than the budget, whatever fails.

A plan keeps within the budget while all goes well. Retries, tokens that are refused and
inventories that fail come on top: here every call that was sent is paid for, from a purse that
fills evenly. When it is empty the next question waits: rounds become rarer, none is lost.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nexhealth_exporter.plan import MONTH, earned
from nexhealth_exporter.poller.rest import Rest, now

logger = logging.getLogger(__name__)

SAVED = 0.03
"""The part of the budget that can be saved up, for retries and for a start.

What it and what is earned leave of the whole is for the retries of questions that are on their way.
"""

_LEAST_SAVED = 3.0
"""Calls; an inventory that is on its way must leave room for another question."""

_SHORTEST_WAIT = 1.0
"""Seconds, so that a fraction of a call that rounding leaves makes nobody spin."""


class Budget:
    """Holds questions back; `calls` may be sent in 30 days (0 is unlimited).

    `sent` tells how many calls were sent so far, whatever for.
    """

    def __init__(self, calls: float, sent: Callable[[], int], rest: Rest) -> None:
        self._most = max(SAVED * calls, _LEAST_SAVED) if calls else math.inf
        self._per_second = earned(calls) / MONTH
        self._sent = sent
        self._rest = rest
        self._seen = sent()
        self._saved = self._most
        self._at: float | None = None
        self._pending = 0
        self._loan = 0.0
        self._is_told = False

    @property
    def spare(self) -> int | None:
        """Saved calls that may be spent on what is not urgent; None is any number."""
        if math.isinf(room := self._room()):
            return None
        return max(0, int(room - self._loan - self._most / 2))

    @contextmanager
    def lending(self, calls: float) -> Iterator[None]:
        """So many calls may be sent in advance meanwhile; later ones wait until it is paid."""
        self._loan = calls
        try:
            yield
        finally:
            self._loan = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A question is on its way: until it is answered it counts as one call more."""
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    async def turn(self) -> None:
        """Wait until a call can be paid; a wake-up ends it."""
        while (room := self._room()) < 1 and not self._rest.is_woken:
            self._tell()
            await self._rest.sleep(max((1 - room) / self._per_second, _SHORTEST_WAIT))

    def _room(self) -> float:
        """Calls that can be paid now."""
        at, sent = now(), self._sent()
        earned = 0.0 if self._at is None else (at - self._at) * self._per_second
        self._saved = min(self._saved + earned, self._most) - (sent - self._seen)
        self._at, self._seen = at, sent
        if self._saved > self._most / 2:
            self._is_told = False
        return self._saved + self._loan - self._pending

    def _tell(self) -> None:
        if not self._is_told:
            logger.warning(
                "more calls were sent than planned: the next ones wait for the budget, "
                "so that rounds take longer"
            )
        self._is_told = True
