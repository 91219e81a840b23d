"""Institutions that a good answer about the fleet leaves out: when each is asked alone."""

from collections.abc import Iterable, Mapping

from nexhealth_exporter.model import Sync

_ROUNDING = 1e-6
"""What sums of fractions may lack of a whole."""


class LeftOut:
    """What was found of the institutions that the latest good answer left out.

    Those with syncs are asked in every round. Those of which no sync is known are asked in
    turn, a share of them in each round, so that each is asked once in the seldom interval and
    no round has to ask all of them. New ones are asked as soon as there are calls to spare.
    """

    def __init__(self) -> None:
        # Whether it has syncs, None while it was only asked in vain; the longest waiting first.
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
        """How many are asked seldom."""
        return len(self._found) - self.with_syncs

    def has_syncs(self, subdomain: str) -> bool:
        """Whether it was found to have syncs."""
        return self._found.get(subdomain) is True

    def is_known_empty(self, subdomain: str) -> bool:
        """Whether it was found to have none."""
        return self._found.get(subdomain) is False

    def due(
        self, subdomains: Iterable[str], at: float, seldom_interval: float, spare: int | None
    ) -> list[str]:
        """Which of these to ask now, at `at` (steady seconds); `spare` bounds the new ones."""
        asked = list(subdomains)
        new = [s for s in asked if s not in self._found]
        return [
            *(s for s in asked if self.has_syncs(s)),
            *new[:spare],
            *self._turn(at, seldom_interval),
        ]

    def _turn(self, at: float, seldom_interval: float) -> list[str]:
        """Those without a known sync whose turn it is: the share of the time that has passed."""
        since = 0.0 if self._shared_at is None else at - self._shared_at
        self._shared_at = at
        seldom = [s for s, found in self._found.items() if not found]
        self._share = min(self._share + len(seldom) * since / seldom_interval, len(seldom) + 1)
        number = min(int(self._share + _ROUNDING), len(seldom))
        self._share -= number
        return seldom[:number]

    def asked(self, found: Mapping[str, tuple[Sync, ...] | None]) -> None:
        """They were asked, and this was found; None in vain.

        In vain, what had syncs is asked again in every round, what had none seldom.
        """
        for subdomain, syncs in found.items():
            before = self._found.pop(subdomain, None)
            self._found[subdomain] = (before or None) if syncs is None else bool(syncs)
