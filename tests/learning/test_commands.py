"""`learn` and `schedules`, as they are typed."""

import asyncio
import json
import os
import re
import subprocess
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from nexhealth_exporter import rules
from nexhealth_exporter.cli import main
from nexhealth_exporter.model import Institution, IntegrationType, Severity, Source
from nexhealth_exporter.plan import shard_of
from nexhealth_exporter.simulator import Simulator, plain_offices
from nexhealth_exporter.state import StateFile
from tests.e2e.processes import PROGRAM, binary, free_port, get, prometheus, running, until
from tests.learning.offices import Office, now_and_then

DAY, STEP = 86400.0, 1200.0
DAYS = 12


def days_of_work(start: float, days: int = DAYS) -> list[tuple[float, float]]:
    """Looks with the mark that they see: weekdays from 13:00 to 22:00 UTC."""
    looks: list[tuple[float, float]] = []
    mark = start
    for at in (start + n * STEP for n in range(int(days * DAY / STEP))):
        local = datetime.fromtimestamp(at, UTC)
        if 13 <= local.hour < 22 and local.weekday() < 5:
            mark = at
        looks.append((at, mark))
    return looks


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@pytest.fixture
def recently() -> float:
    """The midnight with which the latest days of work begin."""
    return time.time() // DAY * DAY - DAYS * DAY


@pytest.mark.parametrize("subdomain", ["smiles", "007", "true", "a: [b]*", "smiles-\N{TOOTH}"])
def test_what_was_learned_is_shown_and_can_be_pasted(
    tmp_path: Path, recently: float, capsys: pytest.CaptureFixture[str], subdomain: str
) -> None:
    seen, state = tmp_path / "seen.jsonl", str(tmp_path / "state.db")
    told = {"institution": subdomain, "sync": "Main", "emr_type": "onprem", "timezone": "UTC"}
    start = recently - 30 * DAY
    seen.write_text(
        "\n".join(
            json.dumps({**told, "at": iso(at), "read_at": iso(mark), "write_at": iso(mark)})
            for at, mark in days_of_work(start, 42)
        )
    )

    assert main(["learn", "--observations", str(seen), "--state-file", state]) == 0
    assert "1 of 1 syncs now have a pattern" in capsys.readouterr().out
    assert main(["schedules", subdomain, "--state-file", state]) == 0
    said = capsys.readouterr().out

    assert re.search(r"learned from \d weeks: usually runs Mon-Fri 13:00-22:00; \d\d % sure", said)
    assert said.count("█" * 10) == 5
    pasted = "\n".join(line[2:] for line in said.split("configuration file\n")[1].splitlines())
    found = rules.read(pasted, "pasted.yaml")
    held = found.for_sync(Institution(subdomain), ("", IntegrationType.SERVER)).schedule
    assert held is not None
    assert held.windows[0] == ((13 * 3600, 22 * 3600),)


@pytest.mark.parametrize("moves", [3, 8])
def test_hours_of_who_moves_now_and_then_can_be_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], moves: int
) -> None:
    smiles, first = Office(IntegrationType.CLOUD), date(2026, 2, 23)
    smiles.live(first, 42, now_and_then(moves))
    state = StateFile(tmp_path / "state.db")
    state.save(smiles.fleet)
    state.close()
    assert main(["schedules", "smiles", "--state-file", str(tmp_path / "state.db")]) == 0
    pasted = dedent(capsys.readouterr().out.split("configuration file\n")[1])

    smiles.ruled(pasted)
    smiles.alerts.clear()
    later = first + timedelta(days=42)
    smiles.live(later, 22, now_and_then(moves))
    assert smiles.sync.expectation.source is Source.CONFIGURED
    assert smiles.alerts == []

    smiles.live(later + timedelta(days=22), 10, lambda _: [])
    assert [severity for severity, _ in smiles.alerts][:1] == [Severity.WARNING]


def test_what_is_not_learned_yet_says_which_hours_apply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smiles = Office(IntegrationType.CLOUD)
    smiles.live(date(2026, 2, 23), 2, now_and_then(8))
    state = StateFile(tmp_path / "state.db")
    state.save(smiles.fleet)
    state.close()

    assert main(["schedules", "smiles", "--state-file", str(tmp_path / "state.db")]) == 0
    assert "configured hours apply, or else the default" in capsys.readouterr().out


def learned_of(folder: Path, recently: float, *syncs: str) -> str:
    """The path of a state that has learned six weeks of work of these syncs of one office."""
    seen, state = folder / "seen.jsonl", str(folder / "state.db")
    told = {"institution": "smiles", "emr_type": "onprem", "timezone": "UTC"}
    lines = [
        json.dumps(
            {**told, "sync": sync, "at": iso(at), "read_at": iso(mark), "write_at": iso(mark)}
        )
        for at, mark in days_of_work(recently - 30 * DAY, 42)
        for sync in syncs
    ]
    seen.write_text("\n".join(lines))
    assert main(["learn", "--observations", str(seen), "--state-file", state]) == 0
    return state


def test_schedules_of_two_syncs_have_names_of_their_own(
    tmp_path: Path, recently: float, capsys: pytest.CaptureFixture[str]
) -> None:
    state = learned_of(tmp_path, recently, "Front desk", "Main")
    capsys.readouterr()
    assert main(["schedules", "smiles", "--state-file", state]) == 0
    said = capsys.readouterr().out

    assert re.findall(r"^    (\S.*):$", said, re.MULTILINE) == [
        '"smiles-Front desk-learned"',
        '"smiles-Main-learned"',
    ]
    assert said.count("applies to every sync of the institution") == 2


@pytest.mark.parametrize(
    "sync", ["\N{TOOTH} Main", "\N{WOMAN}\u200d\N{STAFF OF AESCULAPIUS}", "x" * 200]
)
def test_hours_of_a_sync_of_any_name_can_be_pasted(
    tmp_path: Path, recently: float, capsys: pytest.CaptureFixture[str], sync: str
) -> None:
    state = learned_of(tmp_path, recently, "Front desk", sync)
    assert main(["schedules", "smiles", "--state-file", state]) == 0
    said = capsys.readouterr().out

    pasted = [part.split("\n\n")[0] for part in said.split("configuration file\n")[1:]]
    names = {name for text in pasted for name in rules.read(dedent(text), "pasted").schedules}
    assert len(names) == 2


def test_a_name_moves_no_terminal(
    tmp_path: Path, recently: float, capsys: pytest.CaptureFixture[str]
) -> None:
    state = learned_of(tmp_path, recently, "\x1b[2J\x1b]0;owned\x07Main\x9b1m\u202e", "a\nb: c")
    assert main(["schedules", "smiles", "--state-file", state]) == 0
    said = capsys.readouterr().out

    assert said.count("learned from") == 2
    assert [line for line in said.splitlines() if not line.isprintable()] == []
    assert "smiles, a b: c:\n" in said


def test_older_observations_do_not_undo_what_is_known_from_later_on(
    tmp_path: Path, recently: float, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "state.db")
    told = {"institution": "smiles", "sync": "Main", "emr_type": "onprem", "timezone": "UTC"}

    def learned(start: float, days: int) -> list[str]:
        seen = tmp_path / "seen.jsonl"
        seen.write_text(
            "\n".join(
                json.dumps({**told, "at": iso(at), "read_at": iso(mark), "write_at": iso(mark)})
                for at, mark in days_of_work(start, days)
            )
        )
        assert main(["learn", "--observations", str(seen), "--state-file", state]) == 0
        return capsys.readouterr().out.splitlines()

    def shown() -> str:
        assert main(["schedules", "smiles", "--state-file", state]) == 0
        return capsys.readouterr().out

    learned(recently - 30 * DAY, 42)
    known = shown()
    assert learned(recently - 30 * DAY, 20)[1:] == [
        "1 more were left unchanged: the file has newer data about them."
    ]
    assert shown() == known

    state = str(tmp_path / "other.db")
    assert learned(recently - 200 * DAY, 20) == [
        f"0 of 0 syncs now have a pattern, saved in {state}.",
        "1 more were not saved: they were last seen too long ago.",
    ]


def test_a_shard_that_takes_others_over_learns_them_beside_its_own(
    tmp_path: Path, recently: float, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, state = tmp_path / "seen.jsonl", str(tmp_path / "state.db")
    told = {"sync": "Main", "emr_type": "onprem", "timezone": "UTC"}
    offices = [f"office-{number}" for number in range(8)]
    own = [name for name in offices if shard_of(name, 2) == 0]
    seen.write_text(
        "\n".join(
            json.dumps({**told, "institution": name, "at": iso(at), "read_at": iso(mark)})
            for at, mark in days_of_work(recently - 30 * DAY, 42)
            for name in offices
        )
    )

    def learned(shards: int) -> str:
        words = ["learn", "--observations", str(seen), "--state-file", state]
        assert main([*words, "--shard", "0", "--shards", str(shards)]) == 0
        return capsys.readouterr().out

    assert 0 < len(own) < len(offices)
    assert f"{len(own)} of {len(own)} syncs now have a pattern" in learned(2)
    assert "8 of 8 syncs now have a pattern" in learned(1)
    with closing(StateFile(Path(state))) as opened:
        assert set(opened.fleet().remembered) == set(offices)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["schedules", "smiles"], "names no existing file"),
        (["learn", "--observations", "seen"], "no file to save patterns to"),
        (["learn", "--observations", os.devnull, "--state-file", "{}"], "no observations to learn"),
        (["learn", "--observations", "/nowhere", "--state-file", "{}"], "/nowhere cannot be read"),
        (
            ["learn", "--prometheus", "http://127.0.0.1:9", "--state-file", "{}"],
            "Prometheus does not answer",
        ),
    ],
)
def test_what_cannot_work_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    state = str(tmp_path / "state.db")

    assert main([word.format(state) for word in words]) == 1

    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_that_an_exporter_uses_is_not_learned_into(
    tmp_path: Path, recently: float, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, state = tmp_path / "seen", tmp_path / "state.db"
    told = {"at": iso(recently), "institution": "smiles", "sync": "Main", "read_at": iso(recently)}
    seen.write_text(json.dumps(told))
    words = ["learn", "--observations", str(seen), "--state-file", str(state)]

    with closing(StateFile(state)):
        assert main(words) == 1
    assert "is in use; stop the exporter that uses it" in capsys.readouterr().err
    assert main(words) == 0


def test_learning_that_is_stopped_leaves_no_trace(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    os.mkfifo(seen)
    learning = subprocess.Popen(
        [*PROGRAM, "learn", "--observations", str(seen), "--state-file", str(tmp_path / "state.db")]
    )
    with seen.open("wb"):  # waits until it is read
        learning.terminate()
        learning.wait()

    assert list(tmp_path.iterdir()) == [seen]


def test_learning_that_fails_leaves_a_damaged_file_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.db"
    state.write_bytes(b"damaged" * 1000)

    assert main(["learn", "--observations", os.devnull, "--state-file", str(state)]) == 1

    assert "no observations to learn" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [state]


def openmetrics(
    looks: list[tuple[float, float]], institution: str = "smiles", name: str = "Main"
) -> str:
    """The history that a Prometheus would have of one sync."""
    sync = f'institution="{institution}",sync="{name}"'
    families = {
        "nexhealth_sync_last_read_timestamp_seconds": (f'{sync},integration_type="server"', 1),
        "nexhealth_sync_last_write_timestamp_seconds": (f'{sync},integration_type="server"', 1),
        "nexhealth_institution_last_poll_timestamp_seconds": (f'institution="{institution}"', 0),
        "nexhealth_sync_info": (f'{sync},timezone="UTC"', None),
    }
    lines: list[str] = []
    for family, (labels, which) in families.items():
        lines.append(f"# TYPE {family} gauge")
        for at, mark in looks:
            value = 1 if which is None else (at, mark)[which]
            lines.append(f"{family}{{{labels}}} {value} {at + 10}")
            lines.append(f"{family}{{{labels}}} {value} {at + 250}")
    return "\n".join([*lines, "# EOF", ""])


async def recorded(folder: Path, history: str) -> None:
    """Make the history that of the Prometheus which will run in that folder."""
    path = folder / "history.om"
    path.write_text(history)
    blocks = str(folder / "prometheus-3")
    command = (
        binary("prometheus-3", "promtool"),
        *("tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=30d"),
    )
    async with running(*command, str(path), blocks) as made:
        assert await made.ended(60) == 0, made.said


@pytest.mark.e2e
async def test_status_judges_by_what_was_learned(tmp_path: Path) -> None:
    (office,) = plain_offices(1)
    seen, state = tmp_path / "seen.jsonl", tmp_path / "state.db"
    start, now = time.time() // STEP * STEP - 20 * DAY, time.time()
    (sync,) = office.syncs
    told = {"institution": office.subdomain, "sync": sync.name, "emr_type": sync.emr.type}
    seen.write_text(
        "\n".join(
            json.dumps({**told, "at": iso(at), "read_at": iso(at), "write_at": iso(at)})
            for at in (start + n * STEP for n in range(int((now - start) / STEP)))
        )
    )
    assert main(["learn", "--observations", str(seen), "--state-file", str(state)]) == 0
    before = state.read_bytes()
    async with Simulator([office]) as simulator:
        env = {
            "NEXHEALTH_EXPORTER_API_URL": simulator.url,
            "NEXHEALTH_EXPORTER_API_KEY": simulator.api_key,
            "NEXHEALTH_EXPORTER_STATE_FILE": str(state),
        }
        async with running(*PROGRAM, "status", "--format", "json", env=env) as process:
            assert await process.ended() in {0, 2}
    (row,) = json.loads(process.said)

    assert row["expectation"]["source"] == "learned"
    assert row["first_seen"] == f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert state.read_bytes() == before


@pytest.mark.e2e
async def test_an_exporter_without_state_learns_from_prometheus_though_it_starts_later(
    tmp_path: Path, recently: float
) -> None:
    _, office = plain_offices(2)
    known = openmetrics(days_of_work(recently), office.subdomain, office.syncs[0].name)
    await recorded(tmp_path, known)
    port, prometheus_port = free_port(), free_port()
    async with Simulator([office]) as simulator:
        given = {
            "API_URL": simulator.url,
            "API_KEY": simulator.api_key,
            "PROMETHEUS_URL": f"http://127.0.0.1:{prometheus_port}",
            "LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "STATE_FILE": str(tmp_path / "state.db"),
        }
        env = {f"NEXHEALTH_EXPORTER_{name}": value for name, value in given.items()}

        async def is_learned() -> bool:
            page = (await get(f"http://127.0.0.1:{port}/metrics"))[1]
            return 'expectation="learned"' in page

        async with running(*PROGRAM, env=env) as process:
            await until(lambda: "learning from Prometheus failed" in process.said)
            await until(lambda: "round finished" in process.said)
            assert await process.stop() == 0
        # The state has a record of the office now, but no hours.
        async with running(*PROGRAM, env=env) as process:
            await until(lambda: "learning from Prometheus failed" in process.said)
            targets = {"none": f"127.0.0.1:{free_port()}"}
            async with prometheus("prometheus-3", tmp_path, targets, port=prometheus_port):
                await until(is_learned, why=process.said)
            assert await process.stop() == 0
        # Hours that are known are kept, whether Prometheus is there or not.
        async with running(*PROGRAM, env=env) as process:
            await until(is_learned, why=process.said)
            assert await process.stop() == 0
        assert "Prometheus" not in process.said


@pytest.mark.e2e
async def test_the_history_of_a_prometheus_teaches(tmp_path: Path, recently: float) -> None:
    await recorded(tmp_path, openmetrics(days_of_work(recently)))
    state = str(tmp_path / "state.db")

    async with prometheus("prometheus-3", tmp_path, {"none": f"127.0.0.1:{free_port()}"}) as prom:
        words = ("learn", "--prometheus", prom.url, "--state-file", state)
        async with running(*PROGRAM, *words) as process:
            assert await process.ended(60) == 0, process.said
        assert "1 of 1 syncs now have a pattern" in process.said
        words = ("backtest", "--prometheus", prom.url, "--format", "json")
        async with running(*PROGRAM, *words) as process:
            assert await process.ended(60) == 0, process.said
        assert json.loads(process.said)["syncs"] == 1
    async with running(*PROGRAM, "schedules", "smiles", "--state-file", state) as process:
        assert await process.ended() == 0
    assert "Mon-Fri 13:00-22:00" in process.said


@pytest.mark.e2e
async def test_an_exporter_that_waits_for_a_past_stops_at_once() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.read()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host, port = silent.sockets[0].getsockname()
    async with Simulator(plain_offices(1)) as simulator:
        env = {
            "NEXHEALTH_EXPORTER_API_URL": simulator.url,
            "NEXHEALTH_EXPORTER_API_KEY": simulator.api_key,
            "NEXHEALTH_EXPORTER_PROMETHEUS_URL": f"http://{host}:{port}",
            "NEXHEALTH_EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0",
        }
        async with running(*PROGRAM, env=env) as exporter:
            await until(lambda: "Prometheus history" in exporter.said, why=exporter.said)
            await until(lambda: "round finished" in exporter.said, why=exporter.said)
            code = await exporter.stop()
    silent.close()

    assert code == 0, exporter.said
    assert "Traceback" not in exporter.said


@pytest.mark.e2e
async def test_what_a_running_exporter_learns_is_saved_when_it_stops(tmp_path: Path) -> None:
    (office,) = plain_offices(1)
    state = tmp_path / "state.db"
    port = free_port()
    async with Simulator([office]) as simulator:
        env = {
            "NEXHEALTH_EXPORTER_API_URL": simulator.url,
            "NEXHEALTH_EXPORTER_API_KEY": simulator.api_key,
            "NEXHEALTH_EXPORTER_STATE_FILE": str(state),
            "NEXHEALTH_EXPORTER_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        }
        async with running(*PROGRAM, env=env) as process:

            async def page() -> str | None:
                text = (await get(f"http://127.0.0.1:{port}/metrics"))[1]
                return text if "nexhealth_sync_info{" in text else None

            text = await until(page, why=process.said)
            assert "\nnexhealth_state_ok 1" in text
            assert await process.stop() == 0
    words = ("schedules", office.subdomain, "--state-file", str(state))
    async with running(*PROGRAM, *words) as shown:
        assert await shown.ended() == 0
    assert "not enough evidence yet" in shown.said
