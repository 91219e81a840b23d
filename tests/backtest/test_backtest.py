"""The command on files: its answer, its refusals, and what it does not see."""

import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from nexhealth_exporter.cli import main

STEP = 300
MONDAY = datetime(2026, 3, 2, 13, tzinfo=UTC).timestamp()
"""08:00 in New York, where default hours begin."""
HOUR = 3600.0


def time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def line(at: float, mark: float, **more: Any) -> str:
    told = {
        "at": time(at),
        "institution": "smiles",
        "sync": "SD #1",
        "emr_type": "onprem",
        "timezone": "America/New_York",
        "read_at": time(mark),
        "write_at": time(mark),
        "read_status": "green",
        "write_status": "green",
    }
    return json.dumps(told | more)


def at_year(instant: str) -> str:
    return line(MONDAY, MONDAY).replace(time(MONDAY), instant, 1)


def watched(until: float, stops_at: float, hidden: Iterable[float] = ()) -> Iterator[str]:
    """A server that moves its marks at each step until it stops."""
    gone = set(hidden)
    for number in range(int((until - MONDAY) / STEP)):
        at = MONDAY + number * STEP
        if at not in gone:
            yield line(at, min(at, stops_at))


def answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: Iterable[str], *words: str
) -> Any:
    path = tmp_path / "seen.jsonl"
    path.write_text("\n".join(lines) + "\n")
    code = main(["backtest", str(path), "--format", "json", *words])
    said = capsys.readouterr()
    return json.loads(said.out) if code == 0 else said.err


def test_an_outage_is_told_with_its_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stops, back = MONDAY + HOUR, MONDAY + 7 * HOUR
    lines = [*watched(back, stops), line(back, back)]

    found = answer(tmp_path, capsys, lines)

    assert found["syncs"] == 1
    assert found["from"] == time(MONDAY)
    assert found["to"] == time(back)
    assert found["incidents"] == []
    assert found["alerts"] == [
        {
            "institution": "smiles",
            "sync": "SD #1",
            "operation": operation,
            "severity": "warning",
            "fired_at": time(stops + 4 * HOUR),
            "resolved_at": time(back),
        }
        for operation in ("read", "write")
    ]
    rates = found["summary"]["server"]["alerts_per_office_and_month"]
    assert rates["warning"] == rates["plain"] > 0


def test_an_observation_without_a_type_leaves_the_sync_its_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stops, back = MONDAY + HOUR, MONDAY + 7 * HOUR
    lines = [*watched(back, stops), line(back, back, emr_type=None)]

    found = answer(tmp_path, capsys, lines)

    assert list(found["summary"]) == ["server"]
    rates = found["summary"]["server"]["alerts_per_office_and_month"]
    assert rates["warning"] == rates["plain"] > 0


def test_words_are_read_in_any_letter_case_as_in_answers_of_the_api(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"emr_type": "Onprem", "read_status": "Red", "write_status": "GREEN"}
    lines = [line(MONDAY + n * STEP, MONDAY + n * STEP, **words) for n in range(3)]

    found = answer(tmp_path, capsys, lines)

    assert list(found["summary"]) == ["server"]
    assert found["summary"]["server"]["alerts_per_office_and_month"]["colour"] > 0


@pytest.mark.parametrize("first", [None, "cloud"])
def test_a_sync_whose_type_changes_has_all_its_alerts_in_one_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str | None
) -> None:
    stops, back = MONDAY + HOUR, MONDAY + 10 * HOUR
    before = [json.loads(told) | {"emr_type": first} for told in watched(back, stops)]
    lines = [*map(json.dumps, before), line(back, back)]

    found = answer(tmp_path, capsys, lines)

    assert len(found["alerts"]) == 2
    assert list(found["summary"]) == ["server"]
    rates = found["summary"]["server"]["alerts_per_office_and_month"]
    assert rates["warning"] == rates["plain"] > 0


def test_a_silence_that_lasts_is_not_resolved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(tmp_path, capsys, watched(MONDAY + 8 * HOUR, MONDAY + HOUR))

    assert {alert["resolved_at"] for alert in found["alerts"]} == {None}


def test_a_sync_that_vanishes_from_its_institution_is_overdue_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stops, replaced = MONDAY + HOUR, MONDAY + 7 * HOUR
    both = [
        [old, line(at, at, sync="SD #2")]
        for at, old in zip(
            (MONDAY + n * STEP for n in range(84)), watched(replaced, stops), strict=True
        )
    ]
    alone = [line(replaced + n * STEP, replaced, sync="SD #2") for n in range(6)]

    found = answer(tmp_path, capsys, [*(one for pair in both for one in pair), *alone])

    assert {alert["sync"] for alert in found["alerts"]} == {"SD #1"}
    gone = replaced + 2 * STEP  # left out of three answers
    assert {alert["resolved_at"] for alert in found["alerts"]} == {time(gone)}


@pytest.mark.parametrize("apart", [1, 7, 50])
def test_syncs_of_one_institution_may_be_observed_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], apart: int
) -> None:
    stops, back = MONDAY + HOUR, MONDAY + 7 * HOUR
    lines = [
        line(at, at if stops >= at or at >= back or number != 2 else stops, sync=f"SD #{number}")
        for step in range(100)
        for number in range(5)
        for at in (MONDAY + step * STEP + number * apart,)
    ]

    found = answer(tmp_path, capsys, lines)

    of_it = [(a["sync"], a["operation"], a["fired_at"], a["resolved_at"]) for a in found["alerts"]]
    fired, resolved = time(stops + 4 * HOUR + 2 * apart), time(back + 2 * apart)
    assert of_it == [("SD #2", way, fired, resolved) for way in ("read", "write")]


def test_nothing_is_alerted_while_nobody_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stops = MONDAY + HOUR
    hidden = [MONDAY + n * STEP for n in range(48, 84)]  # from 12:00 to 15:00
    found = answer(tmp_path, capsys, watched(MONDAY + 8 * HOUR, stops, hidden))

    assert {alert["fired_at"] for alert in found["alerts"]} == {time(MONDAY + 7 * HOUR)}


def test_from_limits_what_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(watched(MONDAY + 8 * HOUR, MONDAY + HOUR))

    assert answer(tmp_path, capsys, lines, "--from", time(MONDAY + 4 * HOUR))["alerts"]
    assert not answer(tmp_path, capsys, lines, "--from", time(MONDAY + 6 * HOUR))["alerts"]


def test_what_an_incident_speaks_for_is_held_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"office-{number:02}" for number in range(20)]
    lines = [
        line(at, min(at, MONDAY + HOUR), institution=name)
        for at in (MONDAY + n * STEP for n in range(96))
        for name in names
    ]
    found = answer(tmp_path, capsys, lines)

    assert [i["integration_type"] for i in found["incidents"]] == ["server"]
    assert found["incidents"][0]["to"] is None
    assert found["alerts"] == []


def test_an_incident_does_not_outlive_the_observations_of_those_that_fell_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaving = [f"leaving-{number:02}" for number in range(12)]
    staying = [f"staying-{number:02}" for number in range(10)]
    stops = dict.fromkeys(leaving, MONDAY + HOUR) | {"staying-00": MONDAY + 49 * HOUR}
    lines = [
        line(at, min(at, stops.get(name, at)), institution=name)
        for at in (MONDAY + n * STEP for n in range(12 * 56))
        for name in (*(leaving if at < MONDAY + 5 * HOUR else ()), *staying)
    ]
    found = answer(tmp_path, capsys, lines)

    (incident,) = found["incidents"]
    last_seen = MONDAY + 5 * HOUR - STEP
    assert incident["to"] == time(last_seen + 24 * HOUR + STEP)
    assert {alert["institution"] for alert in found["alerts"]} == {"staying-00"}


def test_gzipped_observations_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "seen.gz"
    path.write_bytes(gzip.compress("\n".join(watched(MONDAY + HOUR, MONDAY)).encode()))

    assert main(["backtest", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["syncs"] == 1


def test_a_file_may_begin_as_windows_begins_its_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *others = watched(MONDAY + HOUR, MONDAY)
    assert answer(tmp_path, capsys, ["\ufeff" + first, *others])["syncs"] == 1


def test_a_report_from_after_the_last_observation_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = list(watched(MONDAY + HOUR, MONDAY))
    last = time(MONDAY + HOUR - STEP)

    assert answer(tmp_path, capsys, lines, "--from", last)["from"] == last
    said = answer(tmp_path, capsys, lines, "--from", "2036-03-02")
    assert f"--from 2036-03-02 is later than the last observation, at {last}." in said


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_observations_may_come_through_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    seen = pack("\n".join(watched(MONDAY + HOUR, MONDAY)).encode())
    writing = Thread(target=path.write_bytes, args=[seen], daemon=True)
    writing.start()

    assert main(["backtest", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["syncs"] == 1
    writing.join(10)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([line(MONDAY + 60, MONDAY), line(MONDAY, MONDAY)], "seen.jsonl:2: "),
        ([line(MONDAY, MONDAY), "{}"], "seen.jsonl:2: not an observation"),
        ([line(MONDAY, MONDAY), at_year("9999-12-31T23:59:59-05:00")], "seen.jsonl:2: "),
        ([at_year("0001-01-01T00:00:00+05:00")], "seen.jsonl:1: "),
        ([line(MONDAY, MONDAY, sync=None)], "seen.jsonl:1: not an observation"),
        (
            ['{"at": "", "institution": "smiles", "sync": "SD #1"}'],
            "seen.jsonl:1: not an observation",
        ),
        ([at_year("0226-03-03T11:05:00\\nZ")], "seen.jsonl:1: not an observation"),
        ([line(253402300799.0, MONDAY)], "lies outside the years 1970 to 2099"),
        ([line(MONDAY, MONDAY).replace('"at": "2', '"at": "\\u001b[2J')], "not an observation"),
        ([""], "no observation"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[str], sentence: str
) -> None:
    said = answer(tmp_path, capsys, lines)

    assert sentence in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_line_that_does_not_end_is_not_read_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "seen.jsonl"
    whole = "\n".join(watched(MONDAY + HOUR, MONDAY)).encode()
    first = whole.partition(b"\n")[0]
    path.write_bytes(pack(first + b" " * ((1 << 20) - len(first) - 1) + b"\n" + whole))
    assert main(["backtest", str(path)]) == 0
    capsys.readouterr()

    path.write_bytes(pack(first + b"\n" + b" " * (1 << 21) + whole))
    assert main(["backtest", str(path)]) == 1
    said = capsys.readouterr().err
    assert said == "nexhealth-exporter: seen.jsonl:2: the line is longer than 1 MiB.\n"


def test_a_damaged_archive_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seen.gz"
    whole = gzip.compress("\n".join(watched(MONDAY + HOUR, MONDAY)).encode())

    for packed in (whole[:-9], whole[:15] + b"xxxx" + whole[19:]):
        path.write_bytes(packed)
        assert main(["backtest", str(path)]) == 1
        said = capsys.readouterr().err
        assert said.startswith("nexhealth-exporter: seen.gz: cannot be read after line ")
        assert len(said.splitlines()) == 1


def test_fixed_office_hours_keep_the_holidays_and_the_zone_that_are_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labor_day = datetime(2026, 9, 7, 13, tzinfo=UTC).timestamp()
    # 09:00 to 13:00 in New York, 22:00 to 02:00 in Tokyo.
    lines = [line(labor_day + n * STEP, labor_day, timezone=None) for n in range(48)]

    def fixed(*words: str) -> bool:
        found = answer(tmp_path, capsys, lines, *words)
        return bool(found["summary"]["server"]["alerts_per_office_and_month"]["fixed"])

    assert not fixed()
    assert fixed("--default-country", "MX")
    assert not fixed("--default-country", "MX", "--default-timezone", "Asia/Tokyo")


def test_a_table_tells_the_day_on_which_an_incident_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seen.jsonl"
    end = MONDAY + 26 * HOUR
    lines = [
        line(at, at if at >= end else min(at, MONDAY + HOUR), institution=f"office-{number}")
        for at in (MONDAY + n * STEP for n in range(12 * 27))
        for number in range(10)
    ]
    path.write_text("\n".join(lines))

    assert main(["backtest", str(path)]) == 0

    said = capsys.readouterr().out
    assert "server syncs: 2026-03-02 16:00 UTC to 2026-03-03 15:00 UTC" in said


def test_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "seen.jsonl"
    path.write_text("\n".join(watched(MONDAY + 8 * HOUR, MONDAY + HOUR)) + "\n")

    assert main(["backtest", str(path)]) == 0

    said = capsys.readouterr().out
    assert "the vendor's colour" in said
    assert "server (1)" in said
