"""What an exporter without a past learns at start from the history of a Prometheus."""

import asyncio
import logging
import time
from collections.abc import Callable

from nexhealth_exporter.cli.parts import policy_of, watches
from nexhealth_exporter.cli.running import apart
from nexhealth_exporter.errors import ExporterError
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import Settings

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 5.0, 600.0
"""Seconds before another attempt, doubled each time: Prometheus may be starting as well."""


async def learned_past(settings: Settings, rules: Callable[[], Rules], url: str) -> Fleet:
    """The fleet as it would be after the last six weeks; asks Prometheus until it answers."""
    logger.info("learning from Prometheus history")
    wait = FIRST_WAIT
    while (past := await _attempt(settings, rules(), url)) is None:
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
    return past


async def _attempt(settings: Settings, rules: Rules, url: str) -> Fleet | None:
    try:
        # In a thread with a loop of its own, so that polls and scrapes need not wait.
        return await apart(lambda: _replayed(settings, rules, url))
    except ExporterError as error:
        facts = {"error": str(error)}
        logger.warning("learning from Prometheus failed, retrying", extra=facts)
    except Exception:  # a bug, which must not stop the exporter
        logger.exception("learning from Prometheus failed, retrying")
    return None


async def _replayed(settings: Settings, rules: Rules, url: str) -> Fleet:
    # Imported late, to keep the start fast: few have such a past to read.
    from nexhealth_exporter.backtest import Replay  # noqa: PLC0415
    from nexhealth_exporter.backtest.prometheus import (  # noqa: PLC0415
        HISTORY_SECONDS,
        history,
    )

    end = time.time()
    replay = Replay(policy_of(settings, rules), watches(settings, rules))
    async for batch in history(url, end - HISTORY_SECONDS, end, settings.prometheus_tenant):
        replay.feed(batch, is_reported=False)
        await asyncio.sleep(0)  # a point at which it can be cancelled
    return replay.fleet
