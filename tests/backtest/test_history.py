"""A Prometheus that is asked for the past: what it answers, and where it would send us."""

import asyncio
import zlib
from pathlib import Path

import pytest
from aiohttp import web

from nexhealth_exporter.backtest.prometheus import history
from nexhealth_exporter.cli import main
from nexhealth_exporter.cli.past import learned_past
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.settings import load
from tests.nexhealth.conftest import Server

NOON = 1_772_553_600.0
MIB = 1 << 20
PASSWORD = "hunter2hunter2"


async def read(url: str) -> list[object]:
    return [batch async for batch in history(url, NOON - 3600, NOON)]


async def test_a_redirect_is_not_followed() -> None:
    elsewhere: list[str] = []

    async def other(request: web.Request) -> web.Response:
        elsewhere.append(request.path)
        return web.json_response({"status": "success", "data": {"result": []}})

    async with Server(other) as target:

        async def answer(request: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(f"{target}{request.path}")

        async with Server(answer) as url:
            with pytest.raises(ConfigError, match=r"not answer like Prometheus \(HTTP 307\)\.$"):
                await read(url)
    assert not elsewhere


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "not answer like Prometheus"),
        ("[" * 100_000, "not answer like Prometheus"),
        (
            '{"status": "success", "data": {"result": [{"metric": null}]}}',
            "not answer like Prometheus",
        ),
        (
            '{"status": "success", "data": {"result": [{"values": []}]}}',
            "not answer like Prometheus",
        ),
        ('{"status": "success", "data": {"result": {}}}', "not answer like Prometheus"),
        ('{"status": "error", "error": "\\u001b[2Jno\\nlevel=error"}', "query: [2Jno level=error."),
    ],
)
async def test_what_is_no_answer_is_one_sentence(body: str, sentence: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=body)

    async with Server(answer) as url:
        with pytest.raises(ConfigError) as refusal:
            await read(url)
    assert sentence in str(refusal.value)
    assert str(refusal.value).isprintable()


async def test_an_answer_that_unpacks_without_end_is_not_read_to_its_end() -> None:
    packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(257)) + packer.flush()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with Server(answer) as url:
        with pytest.raises(ConfigError, match=r"more than 256 MiB\.$"):
            await read(url)


async def test_values_that_are_no_instants_are_left_out() -> None:
    of_sync = {"institution": "smiles", "sync": "Main", "integration_type": "server"}
    told = ["1772550000", "NaN", "+Inf", "-Inf", "1e300", "-1e300", "x", ""]

    async def answer(request: web.Request) -> web.Response:
        asked = await request.post()
        is_poll = "last_poll" in str(asked["query"])
        start = float(str(asked.get("start", NOON)))
        values = [[start + 300 * n, text] for n, text in enumerate(told)]
        series = {"metric": {"institution": "smiles"} if is_poll else of_sync, "values": values}
        return web.json_response({"status": "success", "data": {"result": [series]}})

    async with Server(answer) as url:
        assert len(await read(url)) == 1


async def test_a_prometheus_that_asks_who_we_are_is_told_as_such() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=401, text="Unauthorized")

    async with Server(answer) as url:
        with pytest.raises(ConfigError, match=r"requires a user and a password.*PROMETHEUS_TENANT"):
            await read(url)


@pytest.mark.parametrize("tenant", [None, "east|west"])
def test_each_question_names_the_tenant_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tenant: str | None
) -> None:
    told: list[str | None] = []
    variable = "NEXHEALTH_EXPORTER_PROMETHEUS_TENANT"

    async def answer(request: web.Request) -> web.Response:
        told.append(request.headers.get("X-Scope-OrgID"))
        return web.json_response({"status": "success", "data": {"result": []}})

    async def asked() -> None:
        async with Server(answer) as url:
            for words in (["backtest"], ["learn", "--state-file", str(tmp_path / "state.db")]):
                await asyncio.to_thread(main, [*words, "--prometheus", url])
            at_start = load({}, {variable: tenant or ""})
            await learned_past(at_start, Rules, url)

    monkeypatch.setenv(variable, tenant or "")
    asyncio.run(asked())
    assert len(told) > 3
    assert set(told) == {tenant}


def test_a_password_in_the_command_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["backtest", "--prometheus", f"http://me:{PASSWORD}@127.0.0.1:9"])
    said = capsys.readouterr().err
    assert "--prometheus: must not contain a user or password" in said
    assert "set NEXHEALTH_EXPORTER_PROMETHEUS_URL and write --prometheus alone" in said
    assert PASSWORD not in said


def test_the_address_may_come_from_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["backtest", "--prometheus"]) == 1
    assert "--prometheus needs a URL" in capsys.readouterr().err
    monkeypatch.setenv("NEXHEALTH_EXPORTER_PROMETHEUS_URL", f"http://me:{PASSWORD}@127.0.0.1:9")
    assert main(["backtest", "--prometheus"]) == 1
    said = capsys.readouterr().err
    assert "Prometheus does not answer. No connection to 127.0.0.1: " in said
    assert PASSWORD not in said


async def test_a_mark_from_before_the_first_year_is_left_out() -> None:
    """An API's year 1 east of Greenwich lies before it in UTC, and the page tells it."""
    marks = {"last_read": "-62135647200", "last_write": "-62135596800", "last_poll": str(NOON)}

    async def answer(request: web.Request) -> web.Response:
        asked = await request.post()
        query = str(asked["query"])
        mark = next((told for name, told in marks.items() if name in query), "1")
        series = {
            "metric": {"institution": "smiles"}
            | ({} if "last_poll" in query else {"sync": "Main", "integration_type": "server"}),
            "values": [[float(str(asked.get("start", NOON))), mark]],
        }
        return web.json_response({"status": "success", "data": {"result": [series]}})

    async with Server(answer) as url:
        batches = [batch async for batch in history(url, NOON - 300, NOON)]
    ((_, seen),) = batches[0].rows
    assert (seen.read_at, seen.write_at) == (None, "0001-01-01T00:00:00+00:00")
