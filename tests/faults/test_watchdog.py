"""When rounds stop, liveness fails and the metrics say so; when all stops, the program ends."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.model import Institution, Inventory, Sync
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.plan import Pace, Scope
from nexhealth_exporter.policy import policy
from nexhealth_exporter.poller import Poller
from nexhealth_exporter.poller.heartbeat import STALLED_SECONDS
from nexhealth_exporter.poller.poller import LONGEST_LISTING
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.simulator import Simulator, plain_offices
from nexhealth_exporter.simulator.faults import Throttle
from tests.compressed import CompressedTime, compressed
from tests.e2e.processes import PROGRAM, free_port, running, until
from tests.faults.chaos import DAY, DEFAULTS, HOUR, Clocks, chaos
from tests.faults.truth import Seen

ROOT = Path(__file__).resolve().parents[2]
LAST_ROUND = "poll_last_round_timestamp_seconds"


class Stuck(NexHealth):
    """A client in which one kind of question, from some moment on, is never over, or is faulty."""

    what = ""
    fault: Exception | None = None

    async def _unless(self, what: str) -> None:
        if what == self.what:
            if self.fault is not None:
                raise self.fault
            await asyncio.Event().wait()

    async def inventory(self) -> Inventory:
        await self._unless("inventory")
        return await super().inventory()

    async def syncs(self, institution: Institution) -> tuple[Sync, ...]:
        await self._unless("syncs")
        return await super().syncs(institution)

    async def fleet(self, inventory: Inventory) -> Mapping[str, tuple[Sync, ...]]:
        await self._unless("fleet")
        return await super().fleet(inventory)


def simulated(clocks: Clocks) -> Simulator:
    """Without limits: those are of real seconds, into which many compressed ones fit."""
    offices = plain_offices(3)
    return Simulator(offices, clock=clocks.world, per_second=None, per_minute=None)


class Watched:
    """An exporter's poller and page, in compressed time."""

    def __init__(self, simulator: Simulator, clocks: Clocks, scope: Scope) -> None:
        self.own = OwnMetrics("test")
        self.page = Page(self.own)
        self.clocks = clocks
        self.api = Stuck(
            simulator.url,
            lambda: simulator.api_key,
            version="v3.0.0",
            timeout=10.0,
            max_concurrency=2,
            pacer=Pacer(50, 1000, clock=clocks.loop.time),
            meter=self.own,
            clock=clocks.world,
        )
        self.poller = Poller(
            self.api,
            Pace(scope, 300.0, HOUR, rate=1000 / 60, budget=0.0),
            policy(Rules(), DEFAULTS),
            watches=lambda _: True,
            concurrency=2,
            meter=self.own,
            clock=clocks.world,
        )

    async def last_round(self) -> float:
        """As the page has it."""
        found = (await self.seen()).one(LAST_ROUND)
        assert found is not None
        return found

    async def seen(self) -> Seen:
        chunks = await self.page.write(
            self.poller.latest,
            self.clocks.world(),
            openmetrics=False,
            names=frozenset(),
            gzip=False,
        )
        return Seen.of(b"".join(chunks).decode())


KINDS = pytest.mark.parametrize(
    ("what", "scope"),
    [("syncs", Scope.INSTITUTION), ("fleet", Scope.FLEET), ("inventory", Scope.INSTITUTION)],
)


@KINDS
def test_a_question_that_is_never_over_is_noticed(what: str, scope: Scope) -> None:
    async def stuck() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CompressedTime)
        clocks = Clocks(loop)
        async with simulated(clocks) as simulator:
            watched = Watched(simulator, clocks, scope)
            async with watched.api:
                polling = asyncio.create_task(watched.poller.run())
                await asyncio.sleep(6 * HOUR)
                assert watched.poller.is_alive()
                assert clocks.world() - await watched.last_round() < 600
                watched.api.what = what
                await asyncio.sleep(LONGEST_LISTING + 2 * HOUR + STALLED_SECONDS)
                assert not watched.poller.is_alive()
                stopped_for = clocks.world() - await watched.last_round()
                assert stopped_for < 600 if what == "inventory" else stopped_for > HOUR
                assert not polling.done()
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)

    compressed(stuck())


@KINDS
def test_a_fault_of_ours_spoils_its_own_poll_and_is_counted(
    what: str, scope: Scope, caplog: pytest.LogCaptureFixture
) -> None:
    async def faulty() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CompressedTime)
        clocks = Clocks(loop)
        async with simulated(clocks) as simulator:
            watched = Watched(simulator, clocks, scope)
            async with watched.api:
                polling = asyncio.create_task(watched.poller.run())
                await asyncio.sleep(HOUR)
                watched.api.what, watched.api.fault = what, LookupError("a fault of ours")
                await asyncio.sleep(2 * HOUR)
                seen = await watched.seen()
                assert seen.one("poll_failures_total", reason="other")
                assert seen.one("up") == float(what == "inventory")
                assert len(seen.samples["sync_read_lag_seconds"]) == 3
                watched.api.what = ""
                await asyncio.sleep(HOUR)
                seen = await watched.seen()
                assert set(seen.by("institution_poll_success", "institution").values()) == {1.0}
                assert watched.poller.is_alive()
                assert not polling.done()
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)

    compressed(faulty())
    assert "LookupError: a fault of ours" in caplog.text


@pytest.mark.parametrize("wait", [None, DAY])
def test_calls_that_are_held_back_for_hours_are_no_standstill(wait: float | None) -> None:
    """429 to everything: few calls are made, and the page says why; then all is well."""

    async def throttled() -> None:
        async with chaos(1, 20, Scope.INSTITUTION) as world:
            await world.is_well_again()
            world.simulator.traffic.clear()
            world.simulator.faults["*"] = Throttle(wait)
            await world.pass_time(3 * HOUR)
            assert world.simulator.traffic.count() < 3 * HOUR / 15
            assert (await world.page()).one("up") == 0
            await world.is_well_again()

    compressed(throttled())


STARVED = """
import asyncio, time
from nexhealth_exporter.cli import running, serve, watchdog
from nexhealth_exporter.settings import load

watchdog.STARVED_SECONDS, watchdog.BEAT_SECONDS = 2.0, 0.2

def a_computation_without_end():
    time.sleep(600)

async def main():
    asyncio.get_running_loop().call_later(0.5, a_computation_without_end)
    return await serve.serve(load({"listen_address": "127.0.0.1:0"},
        {"NEXHEALTH_EXPORTER_API_KEY": "key-that-must-not-be-seen",
         "NEXHEALTH_EXPORTER_API_URL": "http://127.0.0.1:9"}))

running.run(main())
"""

DYING = """
import asyncio
from nexhealth_exporter.cli.running import run, until_stopped

async def dies():
    await asyncio.sleep(0.1)
    raise LookupError("a fault of ours")

async def main():
    await until_stopped(asyncio.Event().wait, dies)
    return 0

raise SystemExit(run(main()))
"""


def said(script: str) -> tuple[int, str]:
    """Exit code and stderr of a program that must end by itself."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.e2e
def test_a_loop_that_no_longer_turns_ends_the_program_and_tells_where_it_hangs() -> None:
    code, told = said(STARVED)
    assert code == 1
    assert "a_computation_without_end" in told
    assert "key-that-must-not-be-seen" not in told


@pytest.mark.e2e
def test_a_task_that_dies_takes_the_program_with_it_and_is_told() -> None:
    code, told = said(DYING)
    assert code == 1
    assert "LookupError: a fault of ours" in told


CONFIGURED: dict[str, tuple[str, dict[str, Any] | None, bool]] = {
    "everywhere, plain": ("0.0.0.0", None, True),  # noqa: S104 - that is what is warned of
    "everywhere, TLS": ("0.0.0.0", {}, True),  # noqa: S104
    "everywhere, client certificates": (
        "0.0.0.0",  # noqa: S104
        {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.crt"},
        False,
    ),
    "here, plain": ("127.0.0.1", None, False),
}
OPENLY = "other machines can reach this port"
APIS = {"http://127.0.0.1:9": False, "http://api.invalid": True, "https://api.invalid": False}


@pytest.mark.e2e
@pytest.mark.parametrize("name", CONFIGURED)
async def test_who_listens_openly_is_warned(name: str, tmp_path: Path) -> None:
    host, tls, is_warned = CONFIGURED[name]
    env = {"API_KEY": "k" * 20, "API_URL": "http://127.0.0.1:9"}
    port = free_port()
    env["LISTEN_ADDRESS"] = f"{host}:{port}"
    if tls is not None:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "server.crt")
        issued.private_key_pem.write_to_path(tmp_path / "server.key")
        authority.cert_pem.write_to_path(tmp_path / "ca.crt")
        options = {"cert_file": "server.crt", "key_file": "server.key", **tls}
        (tmp_path / "web.yaml").write_text(f"tls_server_config: {options}\n")
        env["WEB_CONFIG_FILE"] = str(tmp_path / "web.yaml")
    settings = {f"NEXHEALTH_EXPORTER_{key}": value for key, value in env.items()}
    async with running(*PROGRAM, env=settings) as exporter:
        await until(lambda: "msg=listening" in exporter.said, why=exporter.said)
        assert (OPENLY in exporter.said) == is_warned
        if tls is not None and not is_warned:
            # A file that asks nobody any more is as open as none.
            (tmp_path / "web.yaml").write_text("{}\n")
            exporter.hang_up()
            await until(lambda: OPENLY in exporter.said, why=exporter.said)


@pytest.mark.e2e
@pytest.mark.parametrize("url", APIS)
async def test_who_sends_the_key_in_plain_text_is_warned(url: str) -> None:
    env = {"API_KEY": "k" * 20, "API_URL": url, "LISTEN_ADDRESS": "127.0.0.1:0"}
    settings = {f"NEXHEALTH_EXPORTER_{key}": value for key, value in env.items()}
    async with running(*PROGRAM, env=settings) as exporter:
        await until(lambda: "msg=listening" in exporter.said, why=exporter.said)
    assert ("API_URL is plain http" in exporter.said) == APIS[url]
