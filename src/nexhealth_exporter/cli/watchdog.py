"""The last resort: an event loop that no longer turns ends the process, and says where it hangs.

Such a process answers no probe and no scrape, but not everybody has somebody who kills it then.
"""

import asyncio
import faulthandler
import logging

logger = logging.getLogger(__name__)

STARVED_SECONDS = 300.0
"""After so long without a turn nothing will come any more."""

BEAT_SECONDS = 5.0

LATE_SECONDS = 5.0
"""A turn that came so late is worth a line in the log."""


async def watch_loop() -> None:
    """Keep the process from hanging for ever. Never ends.

    When the loop has not turned for STARVED_SECONDS, a thread of its own writes to stderr what
    every thread is doing, and ends the process with 1; what was learned in the last minute is
    lost.
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
                logger.warning("the event loop was held up: answers were late", extra=facts)
    finally:
        faulthandler.cancel_dump_traceback_later()
