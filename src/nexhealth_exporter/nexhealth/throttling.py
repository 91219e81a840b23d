"""The pause after a 429, which holds every call, because the rate limits belong to the key."""

import logging
import random
import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from nexhealth_exporter.nexhealth.pacer import Pacer

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0
_SHORTEST_PAUSE = 1.0
"""Seconds; a Retry-After beyond either bound is cut to it."""

_FIRST_BACKOFF = 1.0
_LONGEST_BACKOFF = 60.0
"""Seconds. Without a usable Retry-After, pauses double from the first up to the longest."""


_LONG = 10.0
"""Seconds; a pause of this length is logged, since a round may consist of many, and take hours."""


class Throttling:
    """Pauses the pacer after each 429; `clock` gives POSIX seconds."""

    def __init__(self, pacer: Pacer, clock: Callable[[], float]) -> None:
        self._pacer = pacer
        self._clock = clock
        self._in_a_row = 0

    def throttled(self, retry_after: str | None) -> None:
        """A call got a 429, with this Retry-After header."""
        seconds = self.seconds(retry_after)
        if seconds is None:
            if self._pacer.paused_for:
                return  # another call of the same burst has paused it
            seconds = min(_FIRST_BACKOFF * 2.0 ** min(self._in_a_row, 20), _LONGEST_BACKOFF)
            # Jitter, so that shards with the same key do not come back together.
            seconds *= random.uniform(1.0, 1.5)  # noqa: S311 -- no secret
            self._in_a_row += 1
        seconds = min(max(seconds, _SHORTEST_PAUSE), LONGEST_PAUSE)
        if seconds >= _LONG and not self._pacer.paused_for:
            facts = {"seconds": round(seconds)}
            logger.warning("API refuses calls as too many, pausing all calls", extra=facts)
        self._pacer.pause(seconds)

    def seconds(self, retry_after: str | None) -> float | None:
        """What this Retry-After header asks for; None if it is missing or unreadable."""
        return retry_after_seconds(retry_after, self._clock())

    def passed(self) -> None:
        """A call got any other status, so the next backoff starts from the shortest again."""
        self._in_a_row = 0


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """What Retry-After asks for, in seconds from now; None if it is missing or unreadable."""
    text = (header or "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text, re.ASCII):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
