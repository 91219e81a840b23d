"""Secrets and people's addresses, planted wherever an answer has room, are found nowhere."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nexhealth_exporter.simulator import Simulator, answers, plain_offices
from nexhealth_exporter.simulator import faults as f
from nexhealth_exporter.simulator.tokens import Tokens
from tests.e2e.processes import PROGRAM, Process, free_port, get, running, until

pytestmark = pytest.mark.e2e

KEY = "nxk-5f1d8c0b7a2e4936b1c8d7e6f5a4b3c2"  # gitleaks:allow
PLANTED = {
    "street_address": "4711 Zanzibar Parade",
    "street_address_2": "Suite Quokka",
    "city": "Xylographia",
    "zip_code": "98765-4321",
    "phone_number": "+1 (555) 017-7123",
    "email": "wilhelmina.desk@office.invalid",
}
PIECES = ("Zanzibar", "Quokka", "Xylographia", "98765", "017-7123", "wilhelmina", KEY)
PLANTED_ALL = " / ".join([*PLANTED.values(), KEY])


class OneForAll(Tokens):
    """Everybody gets the same token, so that it can be planted before it is given."""

    def __init__(self, now: float) -> None:
        super().__init__(3600)
        self.token = super().issue(now)

    def issue(self, now: float) -> str:
        if not self.good(self.token, now):
            self.token = super().issue(now)
        return self.token


def planted(told: Any, secrets: str) -> Any:
    """The same answer with what must not be seen in every object, and secrets in every name."""
    if isinstance(told, list):
        return [planted(each, secrets) for each in told] + [PLANTED_ALL]
    if not isinstance(told, dict):
        return told
    shown = {key: planted(value, secrets) for key, value in told.items()}
    for key in shown.keys() & {"name", "display_name", "sync_source_name", "tz"}:
        shown[key] = f"{shown[key]} {secrets}"
    beside = {"state": PLANTED["city"], "note": PLANTED_ALL, "owner": [PLANTED, secrets]}
    return {**shown, **PLANTED, **beside, "sync_source_type": PLANTED_ALL}


def body(told: Any, secrets: str, status: int = 200, **envelope: Any) -> f.Body:
    """An answer full of it."""
    said = [PLANTED_ALL, [PLANTED_ALL, PLANTED], secrets]
    whole = {"code": True, "description": said, "error": said, "count": 10**6, **envelope}
    headers = {"Retry-After": PLANTED_ALL, "Location": f"http://127.0.0.1:9/{PLANTED['city']}"}
    content = json.dumps({**whole, "data": planted(told, secrets)}).encode()
    return f.Body(content, status=status, headers=headers)


def failures(secrets: str) -> list[f.Fault]:
    """Every kind of failure, full of it."""
    text = f"{PLANTED_ALL} {secrets}".encode()
    return [
        *(
            body(None, secrets, status, code=False)
            for status in (302, 400, 401, 403, 404, 422, 429)
        ),
        *(body(None, secrets, status, code=False) for status in (200, 500, 503)),
        f.Body(b"<html>" + text + b"</html>", "text/html", 502),
        f.Body(text, "text/plain", 404),
        f.Body(b'{"code": true, "data": [{"city": "' + text),
        f.Body(b'{"code": true, "data": ["' + text + b'"]}'),
        f.Body(b'{"code": true, "data": [{"institution_id": {"x": "' + text + b'"}}]}'),
        f.Raw(text + b"\r\n\r\n"),
        f.Raw(b"HTTP/1.1 200 " + text + b"\r\nContent-Length: " + text + b"\r\n\r\n"),
        f.Raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999\r\n\r\n" + text),
    ]


def environment(folder: Path, simulator: Simulator, scope: str, port: int) -> Mapping[str, str]:
    (folder / "key").write_text(KEY)
    settings = {
        "API_URL": simulator.url,
        "API_KEY_FILE": str(folder / "key"),
        "API_TIMEOUT_SECONDS": "2",
        "API_CALLS_BUDGET": "0",
        "LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "POLL_INTERVAL_SECONDS": "1",
        "INVENTORY_INTERVAL_SECONDS": "1",
        "POLL_SCOPE": scope,
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json" if scope == "fleet" else "logfmt",
        "STATE_FILE": str(folder / f"{scope}.sqlite"),
    }
    return {f"NEXHEALTH_EXPORTER_{name}": value for name, value in settings.items()}


PAGES = (
    "/metrics",
    "/",
    "/api/v1/syncs",
    "/institutions/office-1",
    "/institutions/office-7",
    "/institutions/nobody",
    "/api/v1/institutions/office-1",
    "/config",
    "/-/ready",
    "/-/healthy",
)


async def pages(port: int) -> str:
    found = [await get(f"http://127.0.0.1:{port}{path}") for path in PAGES]
    openmetrics = {"Accept": "application/openmetrics-text"}
    found.append(await get(f"http://127.0.0.1:{port}/metrics", **openmetrics))
    assert [status for status, _ in found].count(200) == len(PAGES)
    return "\n".join(text for _, text in found)


def of_the_process(process: Process) -> str:
    folder = Path(f"/proc/{process.pid}")
    return "".join((folder / name).read_text() for name in ("cmdline", "environ"))


def leaks(text: str, tokens: Iterable[str]) -> list[str]:
    parts = {part for token in tokens for part in token.split(".")[1:]}
    return [secret for secret in (*PIECES, *parts) if secret in text]


def everywhere(simulator: Simulator, secrets: str) -> None:
    """Good answers, full of it."""
    offices = [live.office for live in simulator.offices.values()]
    simulator.headers = {"Set-Cookie": f"a={KEY}", "X-Note": PLANTED_ALL, "Server": secrets}
    listed = [answers.institution(office, ehr=False) for office in offices]
    located = [answers.located(office, inactive=None) for office in offices]
    simulator.faults["/institutions"] = body(listed, secrets)
    simulator.faults["/locations"] = body(located, secrets)
    entries = f.Edit(lambda entries: planted(entries, secrets))
    simulator.faults |= {office.subdomain: entries for office in offices}


async def all_met(turn: f.InTurn) -> None:
    await until(lambda: turn.calls >= len(turn.faults))


async def fail_in_turn(simulator: Simulator, secrets: str, *exporters: Process) -> None:
    """Until every call has met every failure, and each exporter has told of some."""
    everything = failures(secrets)
    # What refuses the fleet call would end such calls.
    of_fleet = [each for each in everything if getattr(each, "status", 0) not in {400, 403, 404}]
    good = simulator.faults.copy()
    scoped, fleet = f.InTurn(everything), f.InTurn(of_fleet)
    simulator.faults |= {"/sync_status": fleet, **dict.fromkeys(simulator.offices, scoped)}
    # Where the first half of an inventory fails, its second is not asked for: one at a time.
    for endpoint in ("/locations", "/institutions"):
        simulator.faults[endpoint] = listed = f.InTurn(everything)
        await all_met(listed)
        simulator.faults[endpoint] = good[endpoint]
    await all_met(scoped)
    await all_met(fleet)
    await until(lambda: all(each.said.count("API says") > 5 for each in exporters))
    simulator.faults = good


async def refuse_to_authenticate(simulator: Simulator, secrets: str, *exporters: Process) -> None:
    """The tokens are forgotten, and each exporter is refused new ones in many words."""
    refusals = [body(None, secrets, status, code=False) for status in (401, 500, 403)]
    turn = f.InTurn([*refusals, f.Body(b'{"code": true, "data": {"token": "a b"}}')])
    simulator.faults["/authenticates"] = turn
    simulator.tokens.revoke()
    await until(lambda: turn.calls >= 4)
    await until(lambda: all("authentication failed" in each.said for each in exporters))
    del simulator.faults["/authenticates"]


def reasons(page: str) -> Iterator[str]:
    for reason, number in re.findall(r'poll_failures_total\{reason="(\w+)"\} (\d+)', page):
        if int(number):
            yield reason


async def test_neither_pages_nor_logs_nor_state_nor_processes_tell_what_was_planted(
    tmp_path: Path,
) -> None:
    async with Simulator(
        plain_offices(7), api_key=KEY, per_second=None, per_minute=None
    ) as simulator:
        simulator.tokens = tokens = OneForAll(simulator.clock())
        issued = [tokens.token]
        secrets = f"{KEY} {tokens.token}"
        everywhere(simulator, secrets)
        ports = {"fleet": free_port(), "institution": free_port()}
        envs = {s: environment(tmp_path, simulator, s, port) for s, port in ports.items()}
        async with (
            running(*PROGRAM, env=envs["fleet"]) as fleet,
            running(*PROGRAM, env=envs["institution"]) as institution,
            running(*PROGRAM, "check", env=envs["fleet"]) as check,
            running(*PROGRAM, "status", env=envs["institution"]) as status,
        ):
            told = []
            for port in ports.values():
                metrics = f"http://127.0.0.1:{port}/metrics"

                async def has_polled(url: str = metrics) -> bool:
                    return 'sync_info{institution="office-7"' in (await get(url))[1]

                await until(has_polled, why=fleet.said + institution.said)
                told.append(await pages(port))
            assert await check.ended(90) == 0
            await status.ended(90)
            await fail_in_turn(simulator, secrets, fleet, institution)
            everywhere(simulator, KEY)  # a token that nobody holds any more is no secret
            await refuse_to_authenticate(simulator, secrets, fleet, institution)
            issued.append(tokens.token)
            told += [await pages(port) for port in ports.values()]
            told += [of_the_process(fleet), of_the_process(institution)]
            assert [await fleet.stop(), await institution.stop()] == [0, 0]
        logs = [process.said for process in (fleet, institution, check, status)]
    states = [path.read_bytes().decode("latin-1") for path in tmp_path.glob("*.sqlite*")]

    # What could have told was there to be searched.
    assert set(reasons("".join(told))) >= {
        *("auth", "forbidden", "malformed", "not_found", "other", "server_error")
    }
    assert [said.count("API says") > 5 for said in logs[:2]] == [True, True]
    assert ["office-7" in state for state in states] == [True, True]
    assert sum("(secret)" in text for text in (*told, *logs, *states)) >= 6
    for text in (*told, *logs, *states):
        assert not leaks(text, issued)
