"""A running exporter, assembled from its parts, and the files that it reloads."""

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from nexhealth_exporter import __version__, logs, webconfig
from nexhealth_exporter.cli.allocator import give_back
from nexhealth_exporter.cli.exposure import warn_of_open_port
from nexhealth_exporter.cli.parts import Files, connect, pace_of, policy_of, read_files, watches
from nexhealth_exporter.cli.past import learned_past
from nexhealth_exporter.cli.persistence import Persistence
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.plan import shard_of
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.settings import ApiKey, Exposition, Settings, masked
from nexhealth_exporter.watch import Fingerprint, fingerprint
from nexhealth_exporter.web.app import build
from nexhealth_exporter.web.server import serving
from nexhealth_exporter.web.view import Access, MetricsPage, View
from nexhealth_exporter.webconfig import WebConfig

logger = logging.getLogger(__name__)

REVISION_VARIABLE = "NEXHEALTH_REVISION"
"""Set when the image is built, not by operators, and so not a setting."""

LOOK_SECONDS = 30.0
"""How often files are checked for changes: mounted ConfigMaps and Secrets send no signal."""

LONGEST_START_SECONDS = 60.0
"""Ready after this time even if the first round has not ended: what is known can be scraped."""


class Exporter:
    """A poller, the pages that show its fleet, and the files that configure both.

    `reload` replaces the configuration as a whole; a file that cannot be used changes nothing.
    `ask_for_reload` has it done soon, once for all who ask meanwhile.
    `seen` is the fingerprint of the files from before they were read.
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
        persistence: Persistence,
    ) -> None:
        self._settings = settings
        self._api_key = api_key
        self._api = api
        self._persistence = persistence
        self._own = own
        self._started_at = time.monotonic()
        self._fingerprint = seen
        self._reload_wanted = asyncio.Event()
        self._tls_changed = asyncio.Event()
        self.files = files
        learned, answers = persistence.handed_over()
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
        """What the HTTP server can ask."""
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

    def ask_for_reload(self) -> None:
        """Have `follow_files` reload."""
        self._reload_wanted.set()

    async def reload(self) -> bool:
        """Read the files again; whether that succeeded. Never raises.

        They are read in a thread: thousands of entries take seconds. A bug is logged with its
        traceback; it must not stop the exporter.
        """
        try:
            files, seen = await asyncio.to_thread(self._reread)
            self._take(files, seen)
        except ConfigError as error:
            self._own.reload_failed()
            facts = {"error": " ".join(str(error).splitlines())}
            logger.warning("reload failed, keeping previous configuration", extra=facts)
            return False
        except Exception:
            self._own.reload_failed()
            logger.exception("reload failed, keeping previous configuration")
            return False
        self._own.reloaded(time.time())
        logger.info("configuration reloaded")
        return True

    def _reread(self) -> tuple[Files, Fingerprint]:
        seen = _fingerprinted(self._settings)
        files = read_files(self._settings, self.files)
        self._api_key.reread()
        return files, seen

    def _take(self, files: Files, seen: Fingerprint) -> None:
        # First do all that may fail, so that either everything comes into force or nothing.
        rules, web = files.rules, files.web
        policy = policy_of(self._settings, rules)
        is_watched = watches(self._settings, rules)
        web_seen = _of_web(web, seen)
        if web_seen == self._web_seen:
            web = self.files.web  # the users already let in need not be checked anew
        before, seen_before = self.files.web, self._web_seen
        self.files, self._web_seen = Files(rules, web), web_seen
        self.poller.reload(policy, is_watched)
        if self._api.follow_key():
            self.poller.list_again()  # another key may see other institutions
        if web is not before:
            # A restart refuses connections for a moment; users and headers do not need one.
            if self._tls(web, web_seen) != self._tls(before, seen_before):
                self._tls_changed.set()
            warn_of_open_port(self._settings, web)

    def _tls(self, web: WebConfig, seen: Fingerprint) -> tuple[Mapping[str, object], Fingerprint]:
        """The TLS options, and the fingerprint of the certificates, keys and authorities."""
        certificates = {p: d for p, d in seen.items() if p != self._settings.web_config_file}
        return web.tls_options, certificates

    async def follow_files(self) -> None:
        """Reload when asked, and whenever the content of a file has changed. Never ends."""
        is_blind = False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._reload_wanted.wait()
            if self._reload_wanted.is_set():
                self._reload_wanted.clear()
                await self.reload()
                continue
            try:
                found = await asyncio.to_thread(_fingerprinted, self._settings)
            except Exception:
                if not is_blind:
                    logger.exception("checking files for changes failed")
                is_blind = True
                continue
            is_blind = False
            if found != self._fingerprint:
                # Remembered before reading: a file that changes meanwhile is met next time.
                self._fingerprint = found
                await self.reload()

    async def stay_small(self) -> None:
        """Return unused memory to the system after each round. Never ends."""
        await self.poller.round_ended()
        # What the start and the first round have made is long-lived: if each garbage collection
        # searched it, the event loop would stall.
        gc.collect()
        gc.freeze()
        while True:
            give_back()
            await self.poller.round_ended()

    async def save_learned(self) -> None:
        """Save what is learned: after the first round, every minute, and at the end. Never ends."""
        await self._persistence.keep(lambda: self.poller.latest, self.poller.round_ended)

    async def learn_from_history(self) -> None:
        """Learn from a Prometheus, if one is set and nothing has been learned yet. Never ends."""
        url = self._settings.prometheus_url
        if url is not None and self._persistence.is_empty:
            past = await learned_past(self._settings, lambda: self.files.rules, url)
            self.poller.recall(dict(past.memory()))
            logger.info("learned from Prometheus", extra={"institutions": len(past.standings)})
        await asyncio.Event().wait()

    async def serve(self, ready: Callable[[int], None]) -> None:
        """Serve, and restart the server when TLS changes; `ready` gets the port. Never ends."""
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

        logger.warning("EXPOSITION is reference, for diagnosis only: scrapes are slow")
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
        rules, web = self.files.rules.text, self.files.web.text
        return masked(self._settings, rules, web, self._api_key.known)

    def _access(self) -> Access:
        web = self.files.web
        return Access(web.users.verify if web.users else None, web.headers)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Exporter]:
    """An exporter with an open API client. Raises ConfigError if it can never work."""
    seen = _fingerprinted(settings)
    files = read_files(settings)
    api_key = ApiKey(settings)
    api_key()
    logs.configure(settings.log_level, settings.log_format, secrets=lambda: api_key.known)
    own = OwnMetrics(__version__, os.environ.get(REVISION_VARIABLE, ""))
    own.sharded(settings.shard, settings.shards)
    own.budgeted(settings.api_calls_budget)
    own.reloaded(time.time())
    persistence = await asyncio.to_thread(Persistence, settings.state_file, own)
    async with connect(settings, api_key, own) as api:
        yield Exporter(
            settings, files, seen=seen, api_key=api_key, own=own, api=api, persistence=persistence
        )


def _fingerprinted(settings: Settings) -> Fingerprint:
    """The fingerprint of all files, including those that the web configuration names now."""
    web = settings.web_config_file
    files = (settings.config_file, settings.api_key_file, web, *webconfig.named(web))
    return fingerprint(path for path in files if path)


def _of_web(web: WebConfig, seen: Fingerprint) -> Fingerprint:
    """The fingerprint of its files from before they were read, so that no change is missed."""
    return {path: seen.get(path) for path in web.files}
