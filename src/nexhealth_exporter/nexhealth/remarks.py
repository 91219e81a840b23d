"""What is wrong with answers that can be used all the same: told in the log, but not each round."""

import logging
from collections.abc import Callable

from nexhealth_exporter.nexhealth.envelope import Answer, Why

logger = logging.getLogger(__name__)

_MOST_KEPT = 100
"""Warnings of the API, and kinds of rejections, that are remembered so as not to be repeated."""


class Remarks:
    """Logs each warning once, and entries that were rejected when they are news.

    `scrub` makes the API's words fit for a log.
    """

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub = scrub
        self._warnings: set[tuple[str, str]] = set()
        self._rejections: dict[tuple[str, Why, str | None], int] = {}

    def answered(self, endpoint: str, answer: Answer) -> None:
        """What an answer itself warns of."""
        if answer.description and endpoint != "authenticates":
            self._warn(endpoint, self._scrub(answer.description))
        if answer.is_cut:
            self._warn(
                endpoint, "the API counts more entries than it sent: the answer is truncated"
            )

    def rejected(self, endpoint: str, entries: int, why: Why, institution: str | None) -> None:
        """So many entries of one answer were left out; `institution` is a subdomain, if known.

        A warning when it is new for this endpoint and institution, or twice as many as when it
        was told last; for whoever looks closer, each time at level debug. The entries themselves
        may hold anything, and stay out.
        """
        kind = (endpoint, why, institution)
        told = self._rejections.get(kind, 0)
        # Of all together there are few kinds, which those of single institutions do not crowd out.
        has_room = institution is None or len(self._rejections) < _MOST_KEPT
        is_news = entries >= 2 * told if told else has_room
        if is_news:
            self._rejections[kind] = entries
        facts: dict[str, object] = {"endpoint": endpoint, "reason": why, "entries": entries}
        if institution is not None:
            facts["institution"] = institution
        level = logging.WARNING if is_news else logging.DEBUG
        logger.log(level, "entries of an answer were rejected", extra=facts)

    def _warn(self, endpoint: str, warning: str) -> None:
        is_known = (endpoint, warning) in self._warnings
        if warning and not is_known and len(self._warnings) < _MOST_KEPT:
            self._warnings.add((endpoint, warning))
            facts = {"endpoint": endpoint, "warning": warning}
            logger.warning("an answer came with a warning", extra=facts)
