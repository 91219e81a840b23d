"""A running exporter, put together from its parts, and the files that it follows."""

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nexhealth_exporter import __version__, logs, webconfig
from nexhealth_exporter.cli.allocator import give_back
from nexhealth_exporter.cli.exposure import warn_of_open_port
from nexhealth_exporter.cli.memory import Memory
from nexhealth_exporter.cli.parts import Files, connect, pace_of, policy_of, read_files, watches
from nexhealth_exporter.cli.running import apart
from nexhealth_exporter.errors import ConfigError, ExporterError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.plan import shard_of
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import ApiKey, Exposition, Settings, masked
from nexhealth_exporter.watch import Fingerprint, fingerprint
from nexhealth_exporter.web.app import build
from nexhealth_exporter.web.server import serving
from nexhealth_exporter.web.view import Access, MetricsPage, View
from nexhealth_exporter.webconfig import WebConfig

logger = logging.getLogger(__name__)

REVISION_VARIABLE = "NEXHEALTH_REVISION"
"""Set by the image's build, not by operators: hence not a setting."""

LOOK_SECONDS = 30.0
"""How often files are looked at: mounted ConfigMaps and Secrets send no signal."""

LEARN_AGAIN_SECONDS, LONGEST_LEARN_AGAIN_SECONDS = 5.0, 600.0
"""A Prometheus that does not tell the past may be starting too: asked again, ever less often."""

LONGEST_START_SECONDS = 60.0
"""Ready after this time even if the first round has not ended: its metrics are worth a scrape."""


async def past_of(settings: Settings, rules: Rules, url: str) -> Fleet:
    """The fleet as it would be after the last six weeks, by the history of a Prometheus."""
    # Imported late: few have such a past to read, and all wait for the start.
    from nexhealth_exporter.backtest import Replay  # noqa: PLC0415
    from nexhealth_exporter.backtest.prometheus import (  # noqa: PLC0415
        HISTORY_SECONDS,
        history,
    )

    end = time.time()
    replay = Replay(policy_of(settings, rules), watches(settings, rules))
    async for batch in history(url, end - HISTORY_SECONDS, end):
        replay.feed(batch, is_reported=False)
        await asyncio.sleep(0)  # where it can be told to stop
    return replay.fleet


class Exporter:
    """A poller, the page drawn of it, and the files that both follow; made from settings.

    What is in force is replaced whole by `reload`; a file that cannot be used changes nothing.
    `seen` is what the files were before they were read.
    """

    def __init__(
        self,
        settings: Settings,
        files: Files,
        *,
        seen: Fingerprint,
        api_key: ApiKey,
        own: OwnMetrics,
        api: NexHealth,
        memory: Memory,
    ) -> None:
        self._settings = settings
        self._api_key = api_key
        self._memory = memory
        self._own = own
        self._started_at = time.monotonic()
        self._fingerprint = seen
        self._tls_changed = asyncio.Event()
        self.files = files
        learned, answers = memory.handed_over()
        self.poller = Poller(
            api,
            pace_of(settings),
            policy_of(settings, files.rules),
            watches=watches(settings, files.rules),
            concurrency=settings.api_max_concurrency,
            meter=own,
            clock=time.time,
            remembering=learned,
            answers=answers,
        )
        self._web_seen = _of_web(files.web, seen)

    def view(self) -> View:
        """What the HTTP server may know."""
        return View(
            fleet=lambda: self.poller.latest,
            now=time.time,
            unhealthy=self._unhealthy,
            unready=self._unready,
            configuration=self._configuration,
            external_url=self._settings.external_url or "",
            access=self._access,
            shard=self._settings.shard,
            shards=self._settings.shards,
            elsewhere=self._elsewhere,
        )

    def _elsewhere(self, subdomain: str) -> str:
        shards = self._settings.shards
        number = shard_of(subdomain, shards)
        is_ours = number == self._settings.shard
        return "" if is_ours else f"; if it is watched, then by shard {number} of {shards}"

    def reload(self) -> bool:
        """Read the files again; whether what they say is in force now.

        A fault of ours is logged with its traceback: it must not end what runs.
        """
        try:
            seen = _fingerprinted(self._settings)
            files = read_files(self._settings, self.files)
            self._api_key.reread()
            self._take(files, seen)
        except ConfigError as error:
            self._own.reload_failed()
            problems = str(error).splitlines()
            logger.warning("configuration not reloaded", extra={"problems": " ".join(problems)})
            return False
        except Exception:
            self._own.reload_failed()
            logger.exception("configuration not reloaded")
            return False
        self._own.reloaded(time.time())
        logger.info("configuration reloaded")
        return True

    def _take(self, files: Files, seen: Fingerprint) -> None:
        # Whatever may meet a fault of ours is made first: all of it comes into force, or nothing.
        rules, web = files.rules, files.web
        policy = policy_of(self._settings, rules)
        is_watched = watches(self._settings, rules)
        web_seen = _of_web(web, seen)
        if web_seen == self._web_seen:
            web = self.files.web  # the users already let in need not be checked anew
        before, self.files, self._web_seen = self.files.web, Files(rules, web), web_seen
        self.poller.reload(policy, is_watched)
        if web is not before:
            if web.tls is not None or before.tls is not None:
                self._tls_changed.set()
            warn_of_open_port(self._settings, web)

    async def follow_files(self) -> None:
        """Reload whenever the content of a file has changed. Never ends."""
        is_blind = False
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await asyncio.to_thread(_fingerprinted, self._settings)
            except Exception:
                if not is_blind:
                    logger.exception("whether files have changed cannot be told")
                is_blind = True
                continue
            is_blind = False
            if found != self._fingerprint:
                # Remembered before reading: a file that changes meanwhile is met next time.
                self._fingerprint = found
                self.reload()

    async def stay_small(self) -> None:
        """Give back after each round what it took. Never ends."""
        await self.poller.round_ended()
        # What the start and the first round made stays: searching it for garbage again and again
        # would stall the loop.
        gc.collect()
        gc.freeze()
        while True:
            give_back()
            await self.poller.round_ended()

    async def keep_learning(self) -> None:
        """Save what is learned, after the first round, once a minute and at the end. Never ends."""
        await self._memory.keep(lambda: self.poller.latest, self.poller.round_ended)

    async def learn_from_history(self) -> None:
        """Take over the past from a Prometheus, if there is one and no state yet."""
        url = self._settings.prometheus_url
        if url is None or not self._memory.is_empty:
            await asyncio.Event().wait()
            return
        logger.info("learning from the history of Prometheus")
        wait = LEARN_AGAIN_SECONDS
        while not await self._learned_from(url):
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_LEARN_AGAIN_SECONDS)
        await asyncio.Event().wait()

    async def _learned_from(self, url: str) -> bool:
        """Whether a Prometheus told the past."""
        try:
            # In a thread, with a loop of its own: polls and scrapes must not wait for it.
            past = await apart(lambda: past_of(self._settings, self.files.rules, url))
        except ExporterError as error:
            facts = {"error": str(error)}
            logger.warning("nothing learned from Prometheus yet, asking again", extra=facts)
            return False
        except Exception:  # a fault of ours, which must not end what runs
            logger.exception("nothing learned from Prometheus yet, asking again")
            return False
        self.poller.recall(dict(past.memory()))
        logger.info("learned from Prometheus", extra={"institutions": len(past.standings)})
        return True

    async def serve(self, ready: Callable[[int], None]) -> None:
        """Listen, and listen anew when TLS changes; `ready` gets the port. Never ends."""
        address = self._settings.listen_address
        port = address.port
        while True:
            self._tls_changed.clear()
            app = build(self.view(), self._page())
            async with serving(app, address.host, port, tls=self.files.web.tls) as port:
                ready(port)
                await self._tls_changed.wait()

    def _page(self) -> MetricsPage:
        if self._settings.exposition is Exposition.FAST:
            return Page(self._own)
        from nexhealth_exporter.exposition.reference import ReferencePage  # noqa: PLC0415

        logger.warning("metrics are drawn slowly: EXPOSITION is reference, for diagnosis")
        return ReferencePage(self._own)

    def _unhealthy(self) -> str | None:
        if self.poller.is_alive():
            return None
        return "Polling is stuck: nothing has moved for minutes."

    def _unready(self) -> str | None:
        waited = time.monotonic() - self._started_at
        if self.poller.latest.round is not None or waited > LONGEST_START_SECONDS:
            return None
        return "The first round has not ended yet."

    def _configuration(self) -> str:
        return masked(self._settings, self.files.rules.text, self.files.web.text)

    def _access(self) -> Access:
        web = self.files.web
        return Access(web.users.verify if web.users else None, web.headers)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Exporter]:
    """An exporter whose client is connected. Raises ConfigError if it can never work."""
    seen = _fingerprinted(settings)
    files = read_files(settings)
    api_key = ApiKey(settings)
    api_key()
    logs.configure(settings.log_level, settings.log_format, secrets=lambda: api_key.known)
    own = OwnMetrics(__version__, os.environ.get(REVISION_VARIABLE, ""))
    own.sharded(settings.shard, settings.shards)
    own.budgeted(settings.api_calls_budget)
    own.reloaded(time.time())
    memory = await asyncio.to_thread(Memory, settings.state_file, own)
    async with connect(settings, api_key, own) as api:
        yield Exporter(settings, files, seen=seen, api_key=api_key, own=own, api=api, memory=memory)


def _fingerprinted(settings: Settings) -> Fingerprint:
    """Of the files, and of those that they name now: one that is missing may come later."""
    web = settings.web_config_file
    files = (settings.config_file, settings.api_key_file, web, *webconfig.named(web))
    return fingerprint(path for path in files if path)


def _of_web(web: WebConfig, seen: Fingerprint) -> Fingerprint:
    """What its files were before it was read: those of later may not be what it holds."""
    return {path: seen.get(path) for path in web.files}
