"""The program as somebody types it: exit codes, sentences, signals."""

import asyncio
import functools
import json
import os
import re
import socket
import sqlite3
import termios
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from nexhealth_exporter.plan import shard_of
from nexhealth_exporter.simulator import Simulator, faults, plain_office, plain_offices
from nexhealth_exporter.simulator.offices import Emr, Still
from tests.e2e.processes import PROGRAM, Process, free_port, get, running, until

pytestmark = pytest.mark.e2e

PREFIX = "NEXHEALTH_EXPORTER_"


async def finished(
    *words: str, env: dict[str, str] | None = None, seconds: float = 30
) -> tuple[int, str]:
    """Exit code and output of a command that ends by itself."""
    async with running(*PROGRAM, *words, env=env) as process:
        code = await process.ended(seconds)
        return code, process.said


def settings(simulator: Simulator, **more: str) -> dict[str, str]:
    given = {"API_URL": simulator.url, "API_KEY": simulator.api_key, **more}
    return {PREFIX + name: value for name, value in given.items()}


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({}, "NEXHEALTH_EXPORTER_API_KEY is not set"),
        ({"API_KEY": "k" * 20, "POLL_INTERVALL_SECONDS": "5"}, "did you mean"),
        ({"API_KEY": "k" * 20, "POLL_INTERVAL_SECONDS": "soon"}, "must be a number of seconds"),
        ({"API_KEY": "k" * 20, "INCLUDE": "("}, "INCLUDE"),
        ({"API_KEY": "k" * 20, "CONFIG_FILE": "/nowhere.yaml"}, "/nowhere.yaml"),
        ({"API_KEY_FILE": "/nowhere"}, "API_KEY_FILE cannot be read"),
        ({"API_KEY_FILE": "/dev/zero"}, "API_KEY_FILE contains more than a key."),
        ({"CONFIG_FILE": "/dev/zero"}, "/dev/zero is larger than 16 MiB."),
    ],
)
async def test_what_can_never_work_is_one_clear_sentence(
    env: dict[str, str], sentence: str
) -> None:
    code, said = await finished(env={PREFIX + name: value for name, value in env.items()})

    assert code == 1
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


async def test_a_port_in_use_is_one_clear_sentence() -> None:
    async with Simulator(plain_offices(1)) as simulator:
        env = settings(simulator, LISTEN_ADDRESS=f"127.0.0.1:{simulator.port}")
        code, said = await finished(env=env)

    assert code == 1
    assert "is in use" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("simulate --port 0 --host a..b", "--host a..b is not the name or address of a host."),
        ("simulate --port 0 --host .", "--host . is not the name or address of a host."),
        (f"simulate --port 0 --host {300 * 'x'}", "is not the name or address of a host."),
        ("demo --history file", "--history file cannot be written: File exists."),
        ("demo --history file/x", "--history file/x cannot be written: Not a directory."),
        ("demo --history /dev/null", "--history /dev/null cannot be written: File exists."),
        ("demo --history taken", "--history taken cannot be written: Is a directory."),
        ("demo --history d --history-target a\\q", "--history-target: must be host:port"),
        ("schedules x --state-file /", "/ cannot be read: unable to open database file."),
        ("schedules x --state-file .", ". cannot be read: unable to open database file."),
    ],
)
async def test_arguments_that_can_never_work_are_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(bytes(range(256)))
    (tmp_path / "taken" / "nexhealth-01.om").mkdir(parents=True)
    code, said = await finished(*words.split(" "))

    assert code == 1
    assert sentence in said.splitlines()[-1]
    assert "Traceback" not in said


def has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as trial:
        trial.bind(("::1", 0))
        return True
    return False


V6 = pytest.param("[::1]", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here"))


@pytest.mark.parametrize("host", ["", "127.0.0.1", V6])
async def test_where_it_listens_is_told_as_it_would_be_set(host: str) -> None:
    address = f"{host}:{free_port()}"
    async with Simulator(plain_offices(1)) as simulator:
        env = settings(simulator, LISTEN_ADDRESS=address)
        async with running(*PROGRAM, env=env) as process:
            await until(lambda: "msg=listening" in process.said, why=process.said)

    assert f"msg=listening address={address}\n" in process.said


async def test_the_demo_tells_an_address_that_can_be_opened(tmp_path: Path) -> None:
    # One of them is enough: the demo first learns for seconds, and `serve` tells either.
    host = "[::1]" if has_ipv6() else "127.0.0.1"
    web, port = tmp_path / "web.yaml", free_port()
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "both.pem"
    )
    web.write_text("tls_server_config: {cert_file: both.pem, key_file: both.pem}\n")
    flags = ("--listen-address", f"{host}:{port}", "--web-config-file", str(web))
    async with running(*PROGRAM, "demo", *flags) as demo:
        await until(lambda: "Press Ctrl-C" in demo.said, seconds=90, why=demo.said)

    assert f"  https://{host}:{port}/metrics " in demo.said
    assert "in use" not in demo.said


async def test_an_address_is_tried_before_a_large_fleet_is_simulated() -> None:
    flags = ("--institutions", "100000", "--host", "192.0.2.1")
    code, said = await finished("simulate", *flags, seconds=12)

    assert code == 1
    assert "--port: cannot listen on 192.0.2.1:10640: " in said
    assert "Traceback" not in said


async def test_the_demo_takes_another_port_only_where_its_own_is_in_use(tmp_path: Path) -> None:
    # Nobody's address, told before anything is made: weeks of it would be in the folder.
    history = tmp_path / "history"
    flags = ("--listen-address", "192.0.2.1:9", "--history", str(history))
    code, said = await finished("demo", *flags, seconds=90)

    assert code == 1
    assert "cannot listen on 192.0.2.1:9" in said
    assert "in use" not in said
    assert not history.exists()


async def test_help_names_every_command() -> None:
    code, said = await finished("--help")

    assert code == 0
    for command in ("serve", "demo", "simulate", "check", "status"):
        assert command in said


async def test_an_unknown_command_is_refused() -> None:
    code, said = await finished("sevre")

    assert code == 1
    assert "sevre" in said


async def test_status_exits_0_when_all_is_well_and_2_when_a_sync_is_overdue(
    tmp_path: Path,
) -> None:
    always = tmp_path / "config.yaml"
    always.write_text(
        "schedules: {always: {hours: {mon-sun: '00:00-24:00'}, holidays: none}}\n"
        "institutions: [{match: {}, schedule: always}]\n"
    )
    async with Simulator(plain_offices(3)) as simulator:
        env = settings(simulator, CONFIG_FILE=str(always))
        code, said = await finished("status", env=env)
        assert (code, "3 syncs, 0 overdue" in said) == (0, True), said
        assert all(line == line.rstrip() for line in said.splitlines())

        stopped = Still(read=time.time() - 5 * 3600, write=time.time())
        simulator.add(plain_office(2, behaviour=stopped))
        code, said = await finished("status", env=env)
        assert code == 2
        first = next(line for line in said.splitlines() if "office-" in line)
        assert first.split()[0] == "office-2"

        code, said = await finished("status", "--format", "json", env=env)
        assert code == 2
        assert json.loads(said)[0]["institution"] == "office-2"


@pytest.mark.parametrize("form", ["table", "json"])
async def test_status_tells_by_its_exit_code_though_nobody_reads_it(form: str) -> None:
    stopped = Still(read=time.time() - 20 * 86400, write=time.time() - 20 * 86400)
    async with Simulator([plain_office(2, behaviour=stopped)]) as simulator:
        words = (*PROGRAM, "status", "--format", form)
        shell = ("sh", "-c", '{ "$@"; echo "code $?" >&2; } | true', "sh", *words)
        async with running(*shell, env=settings(simulator)) as process:
            await process.ended()
        assert "code 2" in process.said
        assert "Traceback" not in process.said


@pytest.mark.parametrize("words", ["status", "status --format json", "check"])
async def test_a_full_disk_is_told_in_a_sentence(words: str) -> None:
    async with Simulator(plain_offices(1)) as simulator:
        shell = ("sh", "-c", '"$@" > /dev/full', "sh", *PROGRAM, *words.split())
        async with running(*shell, env=settings(simulator)) as process:
            assert await process.ended() == 1
        told = "nexhealth-exporter: the output cannot be written: No space left on device."
        assert process.said.splitlines()[-1] == told
        assert "Traceback" not in process.said


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
async def test_status_tells_by_its_exit_code_whatever_is_closed(closed: str) -> None:
    async with Simulator(plain_offices(1)) as simulator:
        shell = ("sh", "-c", f'"$@" {closed}', "sh", *PROGRAM, "status")
        async with running(*shell, env=settings(simulator)) as process:
            code = await process.ended()

    assert code == 0, process.said


async def test_what_the_terminal_cannot_show_is_shown_as_an_escape() -> None:
    tooth = plain_office(1, emr=Emr(9, "tooth", "\N{TOOTH}", "onprem"))
    async with Simulator([tooth]) as simulator:
        ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        code, said = await finished("status", env=settings(simulator) | ascii_only)

    assert code == 0, said
    assert r"\U0001f9b7" in said


async def test_check_without_schedules_says_that_hours_are_learned() -> None:
    async with Simulator(plain_offices(1)) as simulator:
        code, said = await finished("check", env=settings(simulator))

    assert code == 0
    assert "every 300 s, 1 call\n" in said
    assert said.endswith("Schedules: none configured, so hours are learned.\n")


async def test_check_tells_what_would_be_polled_and_entries_that_match_nothing(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "schedules: {office: {hours: {mon-fri: '08:00-17:00'}, lunch: '12:00-13:00'}}\n"
        "institutions:\n"
        "  - {match: {subdomain: office-1}, schedule: office, timezone: America/Denver}\n"
        "  - {match: {subdomain: nobody}, group: east}\n"
    )
    async with Simulator(plain_offices(3)) as simulator:
        code, said = await finished("check", env=settings(simulator, CONFIG_FILE=str(config)))

    assert code == 0
    assert "the key sees 3 institutions" in said
    assert "scope: institution (from auto)" in said
    assert "config.yaml:4: institutions[1]" in said
    assert "Schedule office, America/Denver (cloud):" in said
    assert "UTC  expected to run" in said


async def test_check_speaks_of_what_the_fleet_call_leaves_out_only_where_it_is_made() -> None:
    empty = replace(plain_office(3), syncs=())
    said = {}
    async with Simulator([*plain_offices(2), empty]) as simulator:
        for scope in ("institution", "fleet"):
            _, said[scope] = await finished("check", env=settings(simulator, POLL_SCOPE=scope))

    assert "missing from the fleet's answer: 1" in said["fleet"]
    assert "left out" not in said["institution"]


async def test_check_does_not_call_a_schedule_unused_while_it_knows_no_sync(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "schedules: {office: {hours: {mon-fri: '08:00-17:00'}}}\n"
        "institutions: [{match: {}, schedule: office}]\n"
    )
    env = {"CONFIG_FILE": str(config)}
    async with Simulator(plain_offices(2)) as simulator:
        simulator.faults["/sync_status"] = faults.Status(403)
        code, said = await finished("check", env=settings(simulator, **env))
        wrong = {**settings(simulator, **env), PREFIX + "API_KEY": "a-wrong-but-long-key"}
        _, without_key = await finished("check", env=wrong)

    assert (code, "Fleet call: refused" in said) == (0, True), said
    for text in (said, without_key):
        assert "Schedule office, America/New_York" in text
        assert "not used by any sync" not in text


async def test_check_tells_allowances_that_let_a_page_come_first(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "institutions:\n"
        "  - {match: {subdomain: office-2}, allowance: {server: {critical: 1h}}}\n"
        "  - {match: {}, allowance: {server: {warning: 5h}}}\n"
    )
    async with Simulator(plain_offices(2)) as simulator:
        env = settings(simulator, CONFIG_FILE=str(config))
        code, said = await finished("check", env=env)

    assert (code, "line 2 pages after 1 h; the page is delayed" in said) == (0, True), said


async def test_an_entry_that_matches_nothing_moves_no_terminal(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text('institutions: [{match: {subdomain: "a\\e[2Jb"}, group: east}]\n')
    async with Simulator(plain_offices(2)) as simulator:
        code, said = await finished("check", env=settings(simulator, CONFIG_FILE=str(config)))

    assert (code, "(subdomain a [2Jb) matches nothing" in said) == (0, True), said
    assert [line for line in said.splitlines() if not line.isprintable()] == []


async def test_settings_that_leave_nobody_to_watch_are_told() -> None:
    async with Simulator(plain_offices(2)) as simulator:
        env = settings(simulator, INCLUDE="misspelt-.*", LISTEN_ADDRESS="127.0.0.1:0")
        code, said = await finished("check", env=env)
        async with running(*PROGRAM, env=env) as exporter:
            await until(lambda: "no institutions watched" in exporter.said, why=exporter.said)
            assert await exporter.stop() == 0
        shard = next(n for n in range(9) if n not in {shard_of(f"office-{o}", 9) for o in (1, 2)})
        env = settings(simulator, SHARDS="9", SHARD=str(shard))
        empty_shard, _ = await finished("check", env=env)
        _, by_shard = await finished("status", env=env)

    assert (code, "NO institutions are watched: INCLUDE" in said) == (1, True), said
    assert empty_shard == 0
    assert "all are left out or belong to other shards" in by_shard


async def test_a_key_that_sees_nobody_is_told() -> None:
    async with Simulator([]) as simulator:
        env = settings(simulator, LISTEN_ADDRESS="127.0.0.1:0")
        checked, found = await finished("check", env=env)
        code, said = await finished("status", env=env)
        async with running(*PROGRAM, env=env) as exporter:
            await until(lambda: "round finished" in exporter.said, why=exporter.said)
            assert await exporter.stop() == 0

    assert (checked, "NO institutions are watched: the key sees none" in found) == (1, True), found
    assert (code, "0 syncs, 0 overdue" in said) == (0, True), said
    for text in (said, exporter.said):
        assert "no institutions watched: the key sees none" in text


async def test_a_narrow_terminal_cuts_no_name() -> None:
    name = "an-office-with-a-long-name-in-the-north"
    there, here = os.openpty()
    termios.tcsetwinsize(here, (24, 60))
    async with Simulator([plain_office(1, subdomain=name)]) as simulator:
        env = {**os.environ, **settings(simulator)}
        status = await asyncio.create_subprocess_exec(*PROGRAM, "status", env=env, stdout=here)
        assert await status.wait() == 0
    os.close(here)
    said = os.read(there, 65536).decode()
    os.close(there)

    first_column = "".join(line[1:].split("  ")[0].strip() for line in said.splitlines())
    assert name in first_column, said
    assert "why, in" in said


async def test_check_offline_judges_the_file_without_a_key_or_a_call(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("schedules: {office: {hours: {mon-fri: '08:00-17:00'}}}\n")
    env = {PREFIX + "CONFIG_FILE": str(config), PREFIX + "API_URL": "http://127.0.0.1:9"}
    code, said = await finished("check", "--offline", env=env)
    config.write_text("schedules: {office: {hours: {mon-fri: '08:00-25:00'}}}\n")
    wrong_code, wrong = await finished("check", "--offline", env=env)

    assert code == 0, said
    assert "Credentials: not tried." in said
    assert "Schedule office, America/New_York" in said
    assert "not verified" not in said
    assert (wrong_code, "which is not a time" in wrong) == (1, True), wrong


async def test_check_fails_on_a_refused_key() -> None:
    async with Simulator(plain_offices(1)) as simulator:
        env = {**settings(simulator), PREFIX + "API_KEY": "a-wrong-but-long-key"}
        code, said = await finished("check", env=env)

    assert code == 1
    assert "refused" in said
    assert "a-wrong-but-long-key" not in said


async def served(exporter: Process, port: int) -> None:
    async def is_ready() -> bool:
        return (await get(f"http://127.0.0.1:{port}/-/ready"))[0] == 200

    await until(is_ready, why=exporter.said)


async def test_a_changed_file_is_followed_on_sighup_and_a_bad_one_changes_nothing(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("institutions: [{match: {}, group: east}]\n")
    port = free_port()
    async with Simulator(plain_offices(2)) as simulator:
        address = f"127.0.0.1:{port}"
        env = settings(simulator, CONFIG_FILE=str(config), LISTEN_ADDRESS=address)
        async with running(*PROGRAM, env=env) as exporter:
            await served(exporter, port)

            async def shows(text: str) -> bool:
                return text in (await get(f"http://{address}/metrics"))[1]

            assert await shows('group="east"')
            config.write_text("institutions: [{match: {}, group: west}]\n")
            exporter.hang_up()
            await until(lambda: shows('group="west"'), why=exporter.said)

            config.write_text("institutions: [{match: {}, grop: north}]\n")
            exporter.hang_up()
            await until(lambda: shows("nexhealth_config_last_reload_successful 0.0"))
            assert await shows('group="west"')
            assert "did you mean group" in exporter.said

            config.write_text("institutions: [{match: {}, group: north}]\n")
            exporter.hang_up()
            await until(lambda: shows('group="north"'))
            assert await shows("nexhealth_config_last_reload_successful 1.0")


async def test_a_reload_that_is_asked_for_too_early_does_not_end_the_start(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    os.mkfifo(config)
    async with Simulator(plain_offices(1)) as simulator:
        env = settings(simulator, CONFIG_FILE=str(config), LISTEN_ADDRESS="127.0.0.1:0")
        async with running(*PROGRAM, env=env) as process:
            # Opened as soon as the program reads it, which then waits for what is written.
            writing = await asyncio.to_thread(os.open, config, os.O_WRONLY)
            config.unlink()
            config.write_text("{}")
            process.hang_up()
            os.write(writing, b"{}")
            os.close(writing)
            await until(lambda: "msg=listening" in process.said, seconds=20, why=process.said)


async def test_what_came_through_pipes_outlives_a_reload(tmp_path: Path) -> None:
    """A pipe gives nothing the second time, or makes whoever reads it wait for ever."""
    config, port = tmp_path / "config.yaml", free_port()
    config.write_text("institutions: [{match: {}, group: east}]\n")
    pipes = {
        "WEB_CONFIG_FILE": "http_server_config: {headers: {X-Frame-Options: sameorigin}}\n",
        "API_KEY_FILE": "simulated-key\n",
    }

    async with Simulator(plain_offices(1), token_lifetime=2) as simulator:
        more = {"CONFIG_FILE": str(config), "LISTEN_ADDRESS": f"127.0.0.1:{port}"}
        env = settings(simulator, **more, POLL_INTERVAL_SECONDS="1", API_CALLS_BUDGET="0")
        del env[PREFIX + "API_KEY"]
        for name in pipes:
            os.mkfifo(tmp_path / name)
            env[PREFIX + name] = str(tmp_path / name)
        async with running(*PROGRAM, env=env) as process:
            for name, text in pipes.items():
                await asyncio.to_thread((tmp_path / name).write_text, text)
            await served(process, port)

            async def shows(text: str) -> bool:
                return text in (await get(f"http://127.0.0.1:{port}/metrics"))[1]

            config.write_text("institutions: [{match: {}, group: west}]\n")
            process.hang_up()
            await until(lambda: shows('group="west"'), why=process.said)
            assert await shows("nexhealth_config_last_reload_successful 1.0")
            assert "sameorigin" in (await get(f"http://127.0.0.1:{port}/config"))[1]
            issued = simulator.traffic.count("authenticates", 201)
            await until(lambda: simulator.traffic.count("authenticates", 201) > issued)


async def test_a_file_that_changes_during_the_start_is_followed(tmp_path: Path) -> None:
    config, state, port = tmp_path / "config.yaml", tmp_path / "state.db", free_port()
    web = tmp_path / "web.yaml"
    config.write_text("{}")
    web.write_text("{}")

    def has_opened(process: Process) -> bool:
        with suppress(OSError):
            return str(state) in map(os.readlink, Path(f"/proc/{process.pid}/fd").iterdir())
        return False

    async def says(word: str) -> bool:
        return word in (await get(f"http://127.0.0.1:{port}/config"))[1]

    files = {"CONFIG_FILE": config, "WEB_CONFIG_FILE": web, "STATE_FILE": state}
    async with Simulator(plain_offices(1)) as simulator:
        more = {name: str(file) for name, file in files.items()}
        env = settings(simulator, **more, LISTEN_ADDRESS=f"127.0.0.1:{port}")
        with closing(sqlite3.connect(state)) as locked:
            locked.execute("BEGIN EXCLUSIVE")
            async with running(*PROGRAM, env=env) as process:
                # It waits for the lock, and has read the file before.
                await until(lambda: has_opened(process), why=process.said)
                config.write_text("institutions: [{match: {}, group: east-team}]\n")
                web.write_text("http_server_config: {headers: {X-Frame-Options: sameorigin}}\n")
                locked.rollback()
                await served(process, port)
                assert not await says("east-team")
                await until(lambda: says("east-team"), why=process.said)
                await until(lambda: says("sameorigin"), seconds=1, why=process.said)


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("CONFIG_FILE", "institutions: [{match: {}, group: east-team}]", "east-team"),
        (
            "WEB_CONFIG_FILE",
            "http_server_config: {headers: {X-Frame-Options: sameorigin}}",
            "X-Frame-Options: sameorigin",
        ),
        ("API_KEY_FILE", "{key}", "API_KEY_FILE"),
    ],
)
async def test_a_file_may_be_a_pipe(name: str, text: str, word: str) -> None:
    port = free_port()
    async with Simulator(plain_offices(1)) as simulator:
        text = text.replace("{key}", simulator.api_key)
        # What follows << is a pipe, if it is short.
        shell = ("sh", "-c", f"exec \"$@\" << 'END'\n{text}\nEND\n", "sh", *PROGRAM)
        env = settings(simulator, LISTEN_ADDRESS=f"127.0.0.1:{port}")
        if name == "API_KEY_FILE":
            del env[f"{PREFIX}API_KEY"]
        env[PREFIX + name] = "/dev/stdin"
        async with running(*shell, env=env) as process:
            await served(process, port)
            assert word in (await get(f"http://127.0.0.1:{port}/config"))[1]


async def test_who_asks_the_wrong_shard_is_told_the_right_one() -> None:
    port = free_port()
    numbers = {f"office-{n}": shard_of(f"office-{n}", 3) for n in range(1, 9)}
    other = next(office for office, number in numbers.items() if number == 2)
    async with Simulator(plain_offices(8)) as simulator:
        shard = {"SHARD": "0", "SHARDS": "3", "LISTEN_ADDRESS": f"127.0.0.1:{port}"}
        async with running(*PROGRAM, env=settings(simulator, **shard)) as process:
            await until(lambda: "msg=listening" in process.said, why=process.said)
            answers = [
                await get(f"http://127.0.0.1:{port}/{path}/{other}")
                for path in ("institutions", "api/v1/institutions")
            ]
            await until(lambda: "round finished" in process.said, why=process.said)
            _, fleet = await get(f"http://127.0.0.1:{port}/?text={other}")
            _, facts = await get(f"http://127.0.0.1:{port}/api/v1/syncs")

    for status, said in answers:
        assert status == 404
        assert "shard 2 of 3" in said
    assert "only those of shard 0 of 3" in fleet
    assert "No sync matches. This page lists only the offices of shard 0 of 3" in fleet
    assert (json.loads(facts)["shard"], json.loads(facts)["shards"]) == (0, 3)


async def test_without_an_api_the_process_stays_up_and_says_so() -> None:
    port, nobody = free_port(), free_port()
    env = {
        PREFIX + "API_URL": f"http://127.0.0.1:{nobody}",
        PREFIX + "API_KEY": "k" * 20,
        PREFIX + "LISTEN_ADDRESS": f"127.0.0.1:{port}",
        PREFIX + "POLL_INTERVAL_SECONDS": "1",
        PREFIX + "API_TIMEOUT_SECONDS": "1",
    }
    async with running(*PROGRAM, env=env) as exporter:
        await served(exporter, port)
        _, page = await get(f"http://127.0.0.1:{port}/metrics")

        assert "\nnexhealth_up 0\n" in page
        assert (await get(f"http://127.0.0.1:{port}/-/healthy"))[0] == 200
        assert await exporter.stop() == 0


async def test_a_wrong_flag_is_not_taken_for_an_overdue_sync() -> None:
    code, said = await finished("status", "--fromat", "json")

    assert code == 1
    assert "--fromat" in said


async def test_check_names_syncs_whose_silence_would_never_be_told(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "schedules: {never: {hours: {mon: closed}}}\n"
        "institutions:\n"
        "  - {match: {subdomain: office-1}, schedule: never}\n"
        "  - match: {subdomain: office-2}\n"
        "    allowance: {server: {write: {critical: 300d}}, cloud: {write: {critical: 300d}}}\n"
    )
    async with Simulator(plain_offices(3)) as simulator:
        code, said = await finished("check", env=settings(simulator, CONFIG_FILE=str(config)))

    assert code == 0
    assert "Never overdue" in said
    told = dict(re.findall(r"^  (office-\d) / [^:]+: (.*)$", said, re.MULTILINE))
    assert told == {
        "office-1": "read warning, read critical, write warning, write critical",
        "office-2": "write critical",
    }


async def test_a_mark_from_any_year_stops_neither_status_nor_pages() -> None:
    marks = ("1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    async with Simulator(plain_offices(len(marks))) as simulator:
        for office, mark in zip(tuple(simulator.offices), marks, strict=True):
            change = functools.partial(_read_at, mark=mark)
            simulator.faults[office] = faults.each(change)
        code, said = await finished("status", env=settings(simulator))

    assert code in {0, 2}, said
    assert "3 syncs" in said


def _read_at(entry: dict[str, object], mark: str) -> None:
    entry["read_status_at"] = mark
