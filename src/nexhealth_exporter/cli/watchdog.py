"""The last resort: ends the process if its event loop is blocked, and prints where it hangs.

Such a process answers no probe and no scrape, but not every deployment restarts it for that.
"""

import asyncio
import faulthandler
import logging

logger = logging.getLogger(__name__)

STARVED_SECONDS = 300.0
"""An event loop that is blocked for so long will not recover."""

BEAT_SECONDS = 5.0

LATE_SECONDS = 5.0
"""An event loop that is late by so much is worth a line in the log."""


async def watch_loop() -> None:
    """Keep the process from hanging for ever. Never ends.

    When the loop was blocked for STARVED_SECONDS, a separate thread writes the stacks of all
    threads to stderr and ends the process with exit code 1; what was learned in the last minute
    is lost.
    """
    loop = asyncio.get_running_loop()
    try:
        while True:
            faulthandler.dump_traceback_later(STARVED_SECONDS, exit=True)
            asleep_at = loop.time()
            await asyncio.sleep(BEAT_SECONDS)
            late = loop.time() - asleep_at - BEAT_SECONDS
            if late > LATE_SECONDS:
                facts = {"seconds": round(late, 1)}
                logger.warning("event loop was blocked, responses were late", extra=facts)
    finally:
        faulthandler.cancel_dump_traceback_later()
