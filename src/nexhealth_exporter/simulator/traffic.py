"""The traffic that a simulated NexHealth saw: every call, and how many at once."""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple

_KEPT = 500_000


class Call(NamedTuple):
    """One request: when it came (monotonic seconds) and the status of the answer."""

    at: float
    endpoint: str
    subdomain: str | None
    status: int
    """0 when the connection broke or the client went away before an answer."""


class Traffic:
    """The record of one simulator; `calls` keeps the newest half million."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=_KEPT)
        self.counts: Counter[tuple[str, int]] = Counter()
        """Calls by endpoint (the path without its slash) and status."""
        self.concurrency = 0
        self.peak_concurrency = 0

    def arrived(self) -> None:
        """A request begins."""
        self.concurrency += 1
        self.peak_concurrency = max(self.peak_concurrency, self.concurrency)

    def left(self, call: Call) -> None:
        """A request is over."""
        self.concurrency -= 1
        self.calls.append(call)
        self.counts[call.endpoint, call.status] += 1

    def count(self, endpoint: str | None = None, status: int | None = None) -> int:
        """How many calls were of that endpoint and status; None is any."""
        return sum(
            number
            for (path, code), number in self.counts.items()
            if endpoint in (None, path) and status in (None, code)
        )

    def busiest(self, seconds: float) -> int:
        """The most calls that arrived within any sliding window of that length."""
        return busiest((call.at for call in self.calls), seconds)

    def clear(self) -> None:
        """Forget what was seen; requests in flight still count as concurrent."""
        self.calls.clear()
        self.counts.clear()
        self.peak_concurrency = self.concurrency


def busiest(instants: Iterable[float], seconds: float) -> int:
    """The most instants within any half-open window [t, t + seconds)."""
    ordered = sorted(instants)
    most = 0
    for last, at in enumerate(ordered):
        first = bisect_right(ordered, at - seconds)
        most = max(most, last - first + 1)
    return most


class SlidingLimit:
    """At most `number` requests are let through in any `seconds`; refused ones do not count."""

    def __init__(self, number: int, seconds: float) -> None:
        self.number = number
        self.seconds = seconds
        self._let: deque[float] = deque()

    def full(self, at: float) -> bool:
        """Whether a request at this instant would be one too many."""
        while self._let and self._let[0] <= at - self.seconds:
            self._let.popleft()
        return len(self._let) >= self.number

    def frees_in(self, at: float) -> float:
        """Seconds until a request would be let through again."""
        return max(0.0, self._let[0] + self.seconds - at) if self.full(at) else 0.0

    def let(self, at: float) -> None:
        """A request is let through."""
        self._let.append(at)
