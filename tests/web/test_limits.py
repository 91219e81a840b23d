"""What hostile and broken clients cannot do, on both event loops."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme
import uvloop

from nexhealth_exporter import webconfig
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.web.app import build
from nexhealth_exporter.web.scrape import DRAWN_AT_ONCE
from nexhealth_exporter.web.server import serving
from nexhealth_exporter.web.view import Access
from tests.settings.test_webconfig import hashed
from tests.web.conftest import Site
from tests.web.test_plain import basic

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
HALF = b"GET /metrics HTTP/1.1\r\nHost: he"


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    def run_it(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(work)

    return run_it


class Clients:
    """Connections to a server, which end with it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ends: list[Ends] = []

    async def connect(self, said: bytes = b"") -> Ends:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.ends.append((reader, writer))
        writer.write(said)
        return reader, writer

    def leave(self) -> None:
        for _, writer in self.ends:
            writer.transport.abort()


@asynccontextmanager
async def served(site: Site | None = None, **limits: Any) -> AsyncIterator[Clients]:
    app = build((site or Site()).view(), Page(OwnMetrics("1.0")))
    async with serving(app, "127.0.0.1", 0, **limits) as port:
        clients = Clients(port)
        try:
            yield clients
        finally:
            clients.leave()


async def status(ends: Ends) -> int:
    """Of the answer; 0 when the connection was cut instead."""
    async with asyncio.timeout(20):
        try:
            line = await ends[0].readline()
        except ConnectionError:
            return 0
    return int(line.split()[1]) if line else 0


async def is_cut(ends: Ends, seconds: float = 20.0) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await ends[0].read()
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def test_requests_that_come_drop_by_drop_keep_nobody_out(run: Run) -> None:
    """A slow loris: hundreds of connections that never end their request."""

    async def attack() -> None:
        async with served(most=40) as clients:
            held: list[Ends] = []
            statuses = []
            for _ in range(5):
                held += [await clients.connect(HALF) for _ in range(40)]
                for _, writer in held:
                    if not writer.is_closing():
                        writer.write(b"r")
                scrape = await clients.connect(SCRAPE)
                statuses.append(await status(scrape))
            still = [ends for ends in held if not await is_cut(ends, 0.01)]
        assert statuses == [200] * 5
        assert 0 < len(still) <= 40

    run(attack())


def test_who_is_being_answered_keeps_the_place(run: Run) -> None:
    async def attack() -> None:
        decided, all_are_here = asyncio.Event(), asyncio.Barrier(4)

        async def verify(_user: str, _password: str) -> bool:
            await all_are_here.wait()
            await decided.wait()
            return True

        authorization = f"Authorization: {basic('a', 'b')['Authorization']}\r\n\r\n".encode()
        scrape = SCRAPE.removesuffix(b"\r\n") + authorization
        async with served(Site(access=Access(verify)), most=3) as clients:
            at_work = [await clients.connect(scrape) for _ in range(3)]
            async with asyncio.timeout(20):
                await all_are_here.wait()
            late = [await clients.connect(scrape) for _ in range(5)]
            assert [await status(ends) for ends in late] == [0] * 5
            decided.set()
            assert [await status(ends) for ends in at_work] == [200] * 3

    run(attack())


def test_a_request_that_never_ends_is_cut_off_however_it_dribbles(run: Run) -> None:
    async def attack() -> None:
        async with served(idle=0.6) as clients:
            reader, writer = ends = await clients.connect(HALF)
            began = time.monotonic()
            while not reader.at_eof():
                if not writer.is_closing():
                    writer.write(b"r")
                if await is_cut(ends, 0.1):
                    break
            assert time.monotonic() - began > 0.5

    run(attack())


def test_who_never_reads_the_answer_is_cut_off(run: Run) -> None:
    large = 30_000_000

    async def attack() -> None:
        async with served(Site(configuration="x" * large), idle=0.6) as clients:
            with socket.socket() as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.settimeout(0)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(deaf, ("127.0.0.1", clients.port))
                await loop.sock_sendall(deaf, b"GET /config HTTP/1.1\r\nHost: here\r\n\r\n")
                await asyncio.sleep(1.2)
                read = 0
                async with asyncio.timeout(20):
                    try:
                        while data := await loop.sock_recv(deaf, 1_000_000):
                            read += len(data)
                    except ConnectionError:
                        pass
        assert 0 < read < large

    run(attack())


def test_who_never_agrees_on_tls_is_cut_off(run: Run) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)

    async def attack() -> None:
        async with served(tls=tls, handshake=0.5) as clients:
            silent = [await clients.connect(said) for said in (b"", b"\x16\x03\x01\x02", HALF)]
            assert all(await asyncio.gather(*(is_cut(ends) for ends in silent)))

    run(attack())


def test_guessing_passwords_delays_nobody_who_is_known(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(f'basic_auth_users: {{prometheus: "{hashed("right", 9)}"}}\n')

    async def attack() -> None:
        users = webconfig.load(file).users
        async with served(Site(access=Access(users.verify))) as clients:

            async def ask(user: str, password: str) -> int:
                authorization = basic(user, password)["Authorization"].encode()
                head = SCRAPE.removesuffix(b"\r\n") + b"Authorization: " + authorization
                ends = await clients.connect(head + b"\r\n\r\n")
                found = await status(ends)
                ends[1].close()
                return found

            assert await ask("prometheus", "right") == 200
            guesses = [asyncio.create_task(ask("prometheus", str(n))) for n in range(100)]
            await asyncio.sleep(0.05)
            known = [await ask("prometheus", "right") for _ in range(5)]
            assert not all(guess.done() for guess in guesses)
            refused = await asyncio.gather(*guesses)
        assert known == [200] * 5
        assert set(refused) == {401, 503}
        assert refused.count(401) <= 3 * webconfig.MOST_CHECKS

    run(attack())


def test_guesses_of_clients_that_have_gone_are_not_checked(run: Run, tmp_path: Path) -> None:
    file, fits = tmp_path / "web.yaml", hashed("right", 11)
    file.write_text(f'basic_auth_users: {{prometheus: "{fits}"}}\n')
    began = time.process_time()
    bcrypt.checkpw(b"right", fits.encode())
    one_check = time.process_time() - began

    async def attack() -> float:
        users = webconfig.load(file).users
        async with served(Site(access=Access(users.verify))) as clients:

            async def say(password: str) -> Ends:
                authorization = basic("prometheus", password)["Authorization"].encode()
                head = SCRAPE.removesuffix(b"\r\n") + b"Authorization: " + authorization
                return await clients.connect(head + b"\r\n\r\n")

            crowded = asyncio.Event()

            async def answered(guess: Ends) -> None:
                if await status(guess) == 503:
                    crowded.set()

            said = [await say(str(number)) for number in range(2 * webconfig.MOST_CHECKS)]
            guesses = [asyncio.create_task(answered(guess)) for guess in said]
            async with asyncio.timeout(20):
                await crowded.wait()
            began = time.process_time()
            clients.leave()
            async with asyncio.timeout(60):
                while await status(await say("right")) != 200:  # noqa: ASYNC110 - as a client would
                    await asyncio.sleep(0.01)
            spent = time.process_time() - began
            await asyncio.gather(*guesses)
        return spent

    # One that had begun, and the right one: not all that stood before it.
    assert run(attack()) < webconfig.MOST_CHECKS / 2 * one_check


def test_answers_that_nobody_reads_do_not_pile_up(run: Run) -> None:
    large = "x" * 30_000_000

    async def attack() -> None:
        site = Site(configuration=large)
        async with served(site, stalled=3) as clients:
            deaf = [await clients.connect(b"GET /config HTTP/1.1\r\nHost: here\r\n\r\n")]
            for _ in range(9):
                await asyncio.sleep(0.1)
                deaf.append(await clients.connect(b"GET /config HTTP/1.1\r\nHost: here\r\n\r\n"))
            await asyncio.sleep(0.5)
            whole = [await is_whole(ends) for ends in deaf]
            # Whoever reads is served meanwhile.
            assert await status(await clients.connect(SCRAPE)) == 200
        assert whole == [False] * 7 + [True] * 3

    async def is_whole(ends: Ends) -> bool:
        read = 0
        async with asyncio.timeout(20):
            try:
                while read < len(large) and (data := await ends[0].read(1_000_000)):
                    read += len(data)
            except ConnectionError:
                return False
        return read >= len(large)

    run(attack())


def test_bytes_that_are_no_request_are_refused_without_a_trace(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    password = b"Basic cHJvbWV0aGV1czpzZWNyZXQ"
    said = (
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /<script>alert(1)</script> HTTP/9.9\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: here\r\nAuthorization: " + password + b"\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    )

    async def attack() -> None:
        async with served() as clients:
            for each in said:
                ends = await clients.connect(each)
                async with asyncio.timeout(20):
                    answer = await ends[0].read()
                assert answer.startswith(b"HTTP/1.0 400 ")
                assert b"aiohttp" not in answer
                assert b"Content-Security-Policy: default-src 'none'" in answer
                assert answer.endswith(b"\r\n\r\nThis request cannot be read.\n")
            assert await status(await clients.connect(SCRAPE)) == 200

    run(attack())
    assert not [record for record in caplog.records if record.name != "asyncio"]


def test_a_body_is_not_read_however_long_it_is_said_to_be(run: Run) -> None:
    async def attack() -> None:
        async with served() as clients:
            head = b"GET /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 99999999999\r\n\r\n"
            reader, writer = ends = await clients.connect(head)
            assert await status(ends) == 200
            sent = 0
            piece = b"x" * 100_000
            async with asyncio.timeout(20):
                while not reader.at_eof() and not writer.is_closing() and sent < 10**9:
                    writer.write(piece)
                    sent += len(piece)
                    try:
                        async with asyncio.timeout(1):
                            await asyncio.gather(writer.drain(), reader.read(1_000_000))
                    except (ConnectionError, TimeoutError):
                        break
            assert sent < 10**9
            assert await is_cut(ends)

    run(attack())


class Counting(Page):
    """Notes how many pages are put together at a time."""

    at_once = most = 0

    async def write(self, fleet: Fleet, now: float, **wanted: Any) -> Sequence[bytes]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0.01)
            return await super().write(fleet, now, **wanted)
        finally:
            self.at_once -= 1


def test_pages_of_metrics_are_put_together_a_few_at_a_time(run: Run) -> None:
    async def attack() -> None:
        page = Counting(OwnMetrics("1.0"))
        async with serving(build(Site().view(), page), "127.0.0.1", 0) as port:
            clients = Clients(port)
            scrapes = [await clients.connect(SCRAPE) for _ in range(40)]
            assert [await status(ends) for ends in scrapes] == [200] * 40
            clients.leave()
        assert page.most == DRAWN_AT_ONCE

    run(attack())
