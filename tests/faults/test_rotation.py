"""Keys, tokens, certificates and passwords change while the program runs."""

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import pytest
import trustme

from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.e2e.processes import PROGRAM, Process, free_port, running, until
from tests.faults.truth import Seen
from tests.settings.test_webconfig import hashed
from tests.web.test_plain import basic

pytestmark = pytest.mark.e2e

OLD_KEY, NEW_KEY = "old-key-0123456789", "new-key-9876543210"
OTHER_KEY = "key-of-another-account"
PASSWORD, NEW_PASSWORD = "correct horse", "battery staple"


def web_config(password: str) -> str:
    return (
        "tls_server_config: {cert_file: tls/server.crt, key_file: tls/server.key}\n"
        f'basic_auth_users: {{prometheus: "{hashed(password)}"}}\n'
    )


class Mounted:
    """A folder whose files are swapped at once by a link, as Kubernetes mounts Secrets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0

    def hold(self, files: Mapping[str, bytes]) -> None:
        self._number += 1
        version = self.folder.with_name(f"{self.folder.name}-{self._number}")
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
        following = self.folder.with_name(f"{self.folder.name}-next")
        following.symlink_to(version)
        following.replace(self.folder)


def certificate(authority: trustme.CA) -> dict[str, bytes]:
    issued = authority.issue_cert("127.0.0.1")
    return {
        "server.crt": issued.cert_chain_pems[0].bytes(),
        "server.key": issued.private_key_pem.bytes(),
    }


class Scraper:
    """Reads the page over TLS, with name and password."""

    def __init__(self, port: int, authority: trustme.CA) -> None:
        self._port = port
        self._trust, self._tls_1_2 = ssl.create_default_context(), ssl.create_default_context()
        for context in (self._trust, self._tls_1_2):
            authority.configure_trust(context)
        self._tls_1_2.maximum_version = ssl.TLSVersion.TLSv1_2

    async def page(self, password: str = PASSWORD) -> Seen | int:
        """The page, or the status that came instead; 0 if there was no connection."""
        url = f"https://127.0.0.1:{self._port}/metrics"
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust)) as session,
                session.get(url, headers=basic("prometheus", password)) as answer,
            ):
                return Seen.of(await answer.text()) if answer.status == 200 else answer.status
        except aiohttp.ClientError:
            return 0

    async def says(self, name: str, value: float, **labels: str) -> bool:
        seen = await self.page()
        return isinstance(seen, Seen) and seen.one(name, **labels) == value

    async def certificate(self) -> str:
        """A digest of the certificate that is shown."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._trust)
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return hashlib.sha256(shown).hexdigest()

    async def speaks_tls_1_2(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._tls_1_2)
        except ConnectionRefusedError:
            return True  # nothing listens just now
        except (ssl.SSLError, ConnectionResetError):
            return False
        writer.close()
        return True

    async def connected(self) -> Callable[[str], Awaitable[int]]:
        """Open a connection, over which one can ask later; the status, or 0 if it was closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._trust)

        async def ask(password: str) -> int:
            shown = basic("prometheus", password)["Authorization"]
            writer.write(f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {shown}\r\n\r\n".encode())
            try:
                status = await reader.readline()
            except ConnectionError:
                return 0
            finally:
                writer.close()
            return int(status.split()[1]) if status else 0

        return ask


def environment(simulator: Simulator, folder: Path, port: int) -> dict[str, str]:
    given = {
        "API_URL": simulator.url,
        "API_KEY_FILE": str(folder / "key" / "key"),
        "LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "POLL_INTERVAL_SECONDS": "1",
        "POLL_SCOPE": "institution",
        "WEB_CONFIG_FILE": str(folder / "web.yaml"),
        "LOG_LEVEL": "debug",
    }
    return {f"NEXHEALTH_EXPORTER_{name}": value for name, value in given.items()}


async def test_everything_secret_is_rotated_without_a_restart(tmp_path: Path) -> None:
    port, authority = free_port(), trustme.CA()
    key, tls = Mounted(tmp_path / "key"), Mounted(tmp_path / "tls")
    key.hold({"key": OLD_KEY.encode()})
    tls.hold(certificate(authority))
    (tmp_path / "web.yaml").write_text(web_config(PASSWORD))
    scraper = Scraper(port, authority)
    async with Simulator(plain_offices(3), api_key=OLD_KEY) as simulator:
        env = environment(simulator, tmp_path, port)
        async with running(*PROGRAM, env=env) as exporter:
            await until(lambda: scraper.says("up", 1), why=exporter.said)
            assert await scraper.page("wrong") == 401
            await _rotate_key(simulator, key, scraper, exporter)
            await _replace_key(simulator, key, exporter)
            await _rotate_certificate(tls, authority, scraper, exporter)
            await _rotate_password(tmp_path / "web.yaml", scraper, exporter)
            await _refuse_tls_1_2(tmp_path / "web.yaml", scraper, exporter)
            listed = Path(f"/proc/{exporter.pid}/cmdline").read_bytes().decode()
            assert await exporter.stop() == 0
    for secret in (OLD_KEY, NEW_KEY, OTHER_KEY, PASSWORD, NEW_PASSWORD, "$2b$"):
        assert secret not in exporter.said + listed
    assert "Traceback" not in exporter.said


async def _rotate_key(
    simulator: Simulator, key: Mounted, scraper: Scraper, exporter: Process
) -> None:
    simulator.tokens.revoke()
    await asyncio.sleep(1.5)  # in the middle of a round: a new token is got at once
    assert await scraper.says("up", 1)
    simulator.api_key = NEW_KEY
    simulator.tokens.revoke()
    await until(lambda: scraper.says("up", 0), why=exporter.said)
    seen = await scraper.page()
    assert isinstance(seen, Seen)
    failures = seen.by("poll_failures_total", "reason")
    assert {reason for reason, count in failures.items() if count} == {"auth"}
    assert len(seen.samples["sync_read_lag_seconds"]) == 3
    key.hold({"key": f"{NEW_KEY}\n".encode()})
    await until(lambda: scraper.says("up", 1), why=exporter.said)
    # It was read because it was sent, and not because files are looked at now and then.
    assert "configuration reloaded" not in exporter.said


async def _replace_key(simulator: Simulator, key: Mounted, exporter: Process) -> None:
    """A token lasts up to a day, and that of a key for other offices never gets a 401."""
    simulator.api_key = OTHER_KEY
    asked = simulator.traffic.count("authenticates", 201)
    listed = simulator.traffic.count("institutions", 200)
    key.hold({"key": OTHER_KEY.encode()})
    exporter.hang_up()

    async def is_used() -> bool:
        return (
            simulator.traffic.count("authenticates", 201) == asked + 1
            and simulator.traffic.count("institutions", 200) == listed + 1
        )

    await until(is_used, why=exporter.said)


async def _rotate_certificate(
    tls: Mounted, authority: trustme.CA, scraper: Scraper, exporter: Process
) -> None:
    before = await scraper.certificate()
    tls.hold({**certificate(authority), "server.key": b"broken"})
    exporter.hang_up()
    await until(lambda: scraper.says("config_last_reload_successful", 0), why=exporter.said)
    assert await scraper.certificate() == before

    tls.hold(certificate(authority))
    exporter.hang_up()

    async def is_new() -> bool:
        try:
            return await scraper.certificate() != before
        except OSError:
            return False

    await until(is_new, why=exporter.said)
    await until(lambda: scraper.says("config_last_reload_successful", 1), why=exporter.said)


async def _rotate_password(web: Path, scraper: Scraper, exporter: Process) -> None:
    assert await scraper.page(NEW_PASSWORD) == 401
    connected = await scraper.connected()
    web.write_text(web_config(NEW_PASSWORD))
    exporter.hang_up()

    async def is_let_in() -> bool:
        return isinstance(await scraper.page(NEW_PASSWORD), Seen)

    await until(is_let_in, why=exporter.said)
    assert await scraper.page(PASSWORD) == 401  # it was remembered as a good one
    # A listener that restarts would refuse connections for a moment, and close this one.
    assert await connected(NEW_PASSWORD) == 200


async def _refuse_tls_1_2(web: Path, scraper: Scraper, exporter: Process) -> None:
    assert await scraper.speaks_tls_1_2()
    config = web_config(NEW_PASSWORD)
    web.write_text(config.replace("server.key}", "server.key, min_version: TLS13}"))
    exporter.hang_up()

    async def is_refused() -> bool:
        return not await scraper.speaks_tls_1_2()

    async def is_let_in() -> bool:
        return isinstance(await scraper.page(NEW_PASSWORD), Seen)

    await until(is_refused, why=exporter.said)
    await until(is_let_in, why=exporter.said)
