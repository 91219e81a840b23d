"""Institutions that the answer about the whole fleet leaves out: when each is asked alone."""

from collections.abc import Iterable, Mapping

from nexhealth_exporter.model import Sync
from nexhealth_exporter.plan import ROUNDING


class LeftOut:
    """What is known of the institutions that the latest successful fleet answer left out.

    Those with syncs are asked in every round. Those without a known sync are asked in turn, a
    share of them in each round, so that each is asked once in the seldom interval. New ones are
    asked as soon as there are calls to spare.
    """

    def __init__(self) -> None:
        # Whether it has syncs, None while every poll has failed; the longest waiting first.
        self._found: dict[str, bool | None] = {}
        self._share = 0.0
        self._shared_at: float | None = None

    def keep(self, subdomains: Iterable[str]) -> None:
        """Forget all others."""
        kept = set(subdomains)
        self._found = {s: found for s, found in self._found.items() if s in kept}

    @property
    def with_syncs(self) -> int:
        """How many are asked in every round."""
        return sum(found is True for found in self._found.values())

    @property
    def without_syncs(self) -> int:
        """How many are asked in turn."""
        return len(self._found) - self.with_syncs

    def has_syncs(self, subdomain: str) -> bool:
        """Whether a poll found syncs."""
        return self._found.get(subdomain) is True

    def is_known_empty(self, subdomain: str) -> bool:
        """Whether a poll found that there are none."""
        return self._found.get(subdomain) is False

    def due(
        self, subdomains: Iterable[str], at: float, seldom_interval: float, spare: int | None
    ) -> list[str]:
        """Which of these to ask at `at` (monotonic seconds); `spare` limits how many new ones."""
        asked = list(subdomains)
        new = [s for s in asked if s not in self._found]
        return [
            *(s for s in asked if self.has_syncs(s)),
            *new[:spare],
            *self._turn(at, seldom_interval),
        ]

    def _turn(self, at: float, seldom_interval: float) -> list[str]:
        """Those without a known sync whose turn it is: a share that grows with the time passed."""
        since = 0.0 if self._shared_at is None else at - self._shared_at
        self._shared_at = at
        seldom = [s for s, found in self._found.items() if not found]
        self._share = min(self._share + len(seldom) * since / seldom_interval, len(seldom) + 1)
        number = min(int(self._share + ROUNDING), len(seldom))
        self._share -= number
        return seldom[:number]

    def asked(self, found: Mapping[str, tuple[Sync, ...] | None]) -> None:
        """Take note of what polls found; None is a failed poll.

        After a failed poll, an institution with syncs is still asked in every round.
        """
        for subdomain, syncs in found.items():
            before = self._found.pop(subdomain, None)
            self._found[subdomain] = (before or None) if syncs is None else bool(syncs)
