"""What an exporter has learned: read at start, saved once a minute and at the end.

The first time already when the first round is over: whatever kills within a minute, as where there
is too little memory, may do so again and again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nexhealth_exporter.errors import StateError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import Answer

if TYPE_CHECKING:
    from nexhealth_exporter.state import StateFile, Unwritten

logger = logging.getLogger(__name__)

SAVE_SECONDS = 60.0
"""A killed exporter loses at most what it learned in this time."""


def read_learned(path: Path | None) -> Fleet:
    """What an exporter has learned, for commands that only read; nothing if the file is bad."""
    from nexhealth_exporter.state import remembered  # noqa: PLC0415 - as below

    try:
        return remembered(path)
    except StateError as error:
        facts = {"error": str(error)}
        logger.warning("state file unreadable, continuing without it", extra=facts)
        return Fleet()


class Persistence:
    """The state file of a running exporter; without one, nothing outlives the process.

    A file that cannot be used never stops the exporter: a metric and the log tell of it.
    """

    def __init__(self, path: Path | None, own: OwnMetrics) -> None:
        self._own = own
        self._state: StateFile | None = None
        self._unwritten: Unwritten | None = None
        """The state file while it can only be read."""
        self._is_lost = False
        self.is_empty = True
        """Whether no hours were known at start."""
        self._found, self._answers = Fleet(), list[Answer]()
        if path is not None:
            self._open(path)

    def _open(self, path: Path) -> None:
        # Imported late: without a file nobody needs SQLite.
        from nexhealth_exporter.state import StateFile  # noqa: PLC0415

        try:
            self._state = StateFile(path)
            self._found, self._answers = self._state.fleet(), self._state.answers()
            self._is_lost = self._state.was_lost
        except StateError as error:
            self.close()
            self._only_read(path, str(error))
        self.is_empty = not any(
            kept.learned.pattern is not None
            for memory in self._found.remembered.values()
            for kept in memory.values()
        )
        self._own.state_usable(is_ok=self._state is not None and not self._is_lost)

    def _only_read(self, path: Path, why: str) -> None:
        """Read what cannot be written: what was learned is known, and is saved once it can be."""
        from nexhealth_exporter.state import Unwritten  # noqa: PLC0415

        try:
            found = Unwritten.read(path)
        except StateError:
            self._is_lost = True
            told = "state file unusable, learned state is kept in memory only"
        else:
            self._found, self._answers = found.fleet, found.answers
            self._unwritten = found.emptied()
            self._is_lost = found.was_lost
            told = "state file cannot be written, learned state is kept in memory only until it can"
        logger.error(told, extra={"error": why})

    def handed_over(self) -> tuple[Fleet, list[Answer]]:
        """What was learned before the start, and the last answers from then.

        They are given away only once: a reference kept here would hold them in memory for ever.
        """
        found, self._found = self._found, Fleet()
        answers, self._answers = self._answers, []
        return found, answers

    async def keep(
        self, latest: Callable[[], Fleet], first_round: Callable[[], Awaitable[None]]
    ) -> None:
        """Save until cancelled, and once more then."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_SECONDS):
                    await first_round()
            while True:
                await asyncio.to_thread(self.save, latest())
                await asyncio.sleep(SAVE_SECONDS)
        finally:
            # The last word: nothing else runs any more, so the loop may wait for it.
            self.save(latest())
            self.close()

    def save(self, fleet: Fleet) -> None:
        """Write what is new. Never raises: a bug here must not stop the exporter."""
        try:
            if self._unwritten is not None:
                self._state, self._unwritten = self._unwritten.opened(), None
            if self._state is None:
                return
            self._state.save(fleet)
        except StateError as error:
            logger.error("saving state failed", extra={"error": str(error)})  # noqa: TRY400 - a sentence
            self._own.state_usable(is_ok=False)
            return
        except Exception:
            logger.exception("saving state failed")
            self._own.state_usable(is_ok=False)
            return
        # Once the file was lost, the metric stays 0 until a restart, so that somebody notices.
        self._own.state_usable(is_ok=not self._is_lost)
        self._own.state_saved(time.time())

    def close(self) -> None:
        """Leave the file; what is learned from then on is kept in memory only."""
        if self._state is not None:
            self._state.close()
            self._state = None
