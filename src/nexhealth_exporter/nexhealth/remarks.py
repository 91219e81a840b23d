"""Log lines about answers that are usable but not flawless, without repeating them each round."""

import logging
from collections.abc import Callable

from nexhealth_exporter.nexhealth.envelope import Envelope, Why

logger = logging.getLogger(__name__)

_MOST_KEPT = 100
"""How many API warnings, and kinds of rejections, are remembered in order not to repeat them."""


class Remarks:
    """Logs each warning once, and rejected entries when they are new or many more than before.

    `scrub` makes the API's messages fit for a log.
    """

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub = scrub
        self._warnings: set[tuple[str, str]] = set()
        self._rejections: dict[tuple[str, Why, str | None], int] = {}

    def answered(self, endpoint: str, envelope: Envelope) -> None:
        """Log the warnings that an answer carries."""
        if envelope.description and endpoint != "authenticates":
            self._warn(endpoint, self._scrub(envelope.description))
        if envelope.is_cut:
            self._warn(endpoint, "the API has more entries than it sent: the answer is truncated")

    def rejected(self, endpoint: str, entries: int, why: Why, institution: str | None) -> None:
        """Log that so many entries of one answer were left out; `institution` is a subdomain.

        A warning if that is new for this endpoint and institution, or if there are twice as many
        as when it was last logged; otherwise at level debug. The entries themselves may hold
        anything, so they are not logged.
        """
        kind = (endpoint, why, institution)
        logged = self._rejections.get(kind, 0)
        # Rejections without an institution are of few kinds, and must not be crowded out.
        has_room = institution is None or len(self._rejections) < _MOST_KEPT
        is_news = entries >= 2 * logged if logged else has_room
        if is_news:
            self._rejections[kind] = entries
        facts: dict[str, object] = {"endpoint": endpoint, "reason": why, "entries": entries}
        if institution is not None:
            facts["institution"] = institution
        level = logging.WARNING if is_news else logging.DEBUG
        logger.log(level, "entries rejected", extra=facts)

    def _warn(self, endpoint: str, warning: str) -> None:
        is_known = (endpoint, warning) in self._warnings
        if warning and not is_known and len(self._warnings) < _MOST_KEPT:
            self._warnings.add((endpoint, warning))
            facts = {"endpoint": endpoint, "warning": warning}
            logger.warning("API answer contains a warning", extra=facts)
