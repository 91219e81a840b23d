"""`serve`: poll and serve until stopped."""

import logging
import signal
from collections.abc import Callable

from msgspec.structs import replace as altered

from nexhealth_exporter import __version__
from nexhealth_exporter.cli.allocator import keep_large_buffers_apart
from nexhealth_exporter.cli.exporter import Exporter, opened
from nexhealth_exporter.cli.exposure import warn_of_open_port, warn_of_plain_key
from nexhealth_exporter.cli.parts import shown_proxy
from nexhealth_exporter.cli.running import on_signal, until_stopped
from nexhealth_exporter.cli.watchdog import watch_loop
from nexhealth_exporter.settings import Settings

logger = logging.getLogger(__name__)


async def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; 0."""
    async with opened(settings) as exporter:
        facts = {"version": __version__, "api": settings.api_url}
        if proxy := shown_proxy(settings):
            facts["proxy"] = proxy
        logger.info("starting", extra=facts)
        _warn(settings, exporter)
        on_signal(signal.SIGHUP, exporter.ask_for_reload)
        await run(exporter, lambda port: _listening(settings, port))
        logger.info("stopped")
    return 0


async def run(exporter: Exporter, ready: Callable[[int], None]) -> None:
    """Poll, serve and follow the files until told to stop."""
    keep_large_buffers_apart()

    async def listen() -> None:
        await exporter.serve(ready)

    await until_stopped(
        listen,
        exporter.poller.run,
        exporter.follow_files,
        exporter.stay_small,
        exporter.save_learned,
        exporter.learn_from_history,
        watch_loop,
    )


def _listening(settings: Settings, port: int) -> None:
    address = altered(settings.listen_address, port=port)
    logger.info("listening", extra={"address": str(address)})


def _warn(settings: Settings, exporter: Exporter) -> None:
    if settings.state_file is None:
        logger.warning("STATE_FILE is not set: learned state is kept in memory only")
    warn_of_plain_key(settings)
    warn_of_open_port(settings, exporter.files.web)
