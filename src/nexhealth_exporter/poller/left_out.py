"""Institutions that a good answer about the fleet leaves out: when to ask them alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nexhealth_exporter.model import Sync


@dataclass(frozen=True, slots=True)
class _Alone:
    """When it was asked, what it has.

    `is_known` is False while it was asked in vain, so that nothing is known of it.
    """

    asked_at: float
    has_syncs: bool
    is_known: bool


class LeftOut:
    """What is known of the institutions that the latest good answer left out, by subdomain."""

    def __init__(self) -> None:
        self._alone: dict[str, _Alone] = {}

    def keep(self, subdomains: Iterable[str]) -> None:
        """Forget all others."""
        self._alone = {s: self._alone[s] for s in subdomains if s in self._alone}

    @property
    def with_syncs(self) -> int:
        """How many are polled on their own in every round."""
        return sum(alone.has_syncs for alone in self._alone.values())

    @property
    def without_syncs(self) -> int:
        """How many are asked seldom."""
        return len(self._alone) - self.with_syncs

    def has_syncs(self, subdomain: str) -> bool:
        """Whether it was found to have syncs."""
        alone = self._alone.get(subdomain)
        return alone is not None and alone.has_syncs

    def is_known_empty(self, subdomain: str) -> bool:
        """Whether it was found to have none."""
        alone = self._alone.get(subdomain)
        return alone is not None and alone.is_known and not alone.has_syncs

    def is_due(self, subdomain: str, at: float, seldom_interval: float) -> bool:
        """Whether it is to be asked now: seldom, if no sync of it is known."""
        alone = self._alone.get(subdomain)
        return alone is None or alone.has_syncs or at - alone.asked_at >= seldom_interval

    def asked(self, at: float, found: Mapping[str, tuple[Sync, ...] | None]) -> None:
        """They were asked, and this was found; None in vain.

        In vain, what had syncs is asked again in every round, what had none seldom.
        """
        for subdomain, syncs in found.items():
            has_syncs = self.has_syncs(subdomain) if syncs is None else bool(syncs)
            self._alone[subdomain] = _Alone(at, has_syncs, is_known=syncs is not None)
