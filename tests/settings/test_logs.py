"""Each event is one line that a machine can read and that holds no secret."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexhealth_exporter import logs

log = logging.getLogger("nexhealth_exporter.poller")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raises
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def written(
    form: str,
    write: Callable[[], None],
    *,
    level: str = "info",
    secrets: Callable[[], Iterable[str]] = tuple,
) -> list[str]:
    stream = io.StringIO()
    logs.configure(level, form, secrets=secrets, stream=stream)
    write()
    return stream.getvalue().splitlines()


def as_json(write: Callable[[], None]) -> dict[str, Any]:
    (line,) = written("json", write)
    event: dict[str, Any] = json.loads(line)
    return event


def test_an_event_is_a_line_of_logfmt() -> None:
    facts = {"syncs": 12, "took": 1.5, "up": True, "reason": None, "office": "Smith & Co"}
    (line,) = written("logfmt", lambda: log.info("round %s ended", 7, extra=facts))
    at, _, rest = line.partition(" ")
    assert re.fullmatch(r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert rest == (
        'level=info logger=nexhealth_exporter.poller msg="round 7 ended" '
        'syncs=12 took=1.5 up=true reason=null office="Smith & Co"'
    )


def test_an_event_is_a_json_object() -> None:
    event = as_json(lambda: log.warning("slow", extra={"seconds": 3, "office": "Zahnärzte"}))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("ts"))
    assert event == {
        "level": "warning",
        "logger": "nexhealth_exporter.poller",
        "msg": "slow",
        "seconds": 3,
        "office": "Zahnärzte",
    }


def test_what_is_below_the_level_is_not_written() -> None:
    assert written("logfmt", lambda: log.info("chatter"), level="warning") == []
    assert len(written("logfmt", lambda: log.debug("detail"), level="debug")) == 1


@pytest.mark.parametrize("form", ["logfmt", "json"])
@given(text=st.text(max_size=20))
def test_no_text_can_forge_a_line_or_hide(form: str, text: str) -> None:
    (line,) = written(form, lambda: log.info(text, extra={"office": text}))
    assert line.isascii() or not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e]", line)
    line.encode("utf-8")


def test_a_newline_and_a_quote_are_escaped() -> None:
    (line,) = written("logfmt", lambda: log.info('a "b"\nlevel=error\x1b[31m \u202e \\'))
    assert line.endswith(r'msg="a \"b\"\nlevel=error\u001b[31m \u202e \\"')


def test_an_error_with_its_trace_is_still_one_line() -> None:
    def fail() -> None:
        try:
            json.loads("{")
        except ValueError:
            log.exception("it broke\nin two")

    event = as_json(fail)
    assert event["level"] == "error"
    assert event["traceback"].startswith("Traceback")
    assert "JSONDecodeError" in event["traceback"]


def test_an_error_told_as_a_field_keeps_its_name() -> None:
    (line,) = written("logfmt", lambda: log.warning("reload failed", extra={"error": "a.yaml:1"}))
    assert line.endswith('msg="reload failed" error=a.yaml:1')


def test_a_field_cannot_pose_as_another() -> None:
    event = as_json(lambda: log.info("x", extra={"level": "fake", "ts": 0}))
    assert (event["level"], event["level_"], event["ts_"]) == ("info", "fake", 0)


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_secrets_are_masked_wherever_they_slip_in(form: str) -> None:
    held: list[str] = []

    def slip() -> None:
        log.info("before hunter2hunter2")
        held.append("hunter2hunter2")
        log.info("key hunter2hunter2", extra={"header": "Bearer hunter2hunter2"})

    lines = written(form, slip, secrets=lambda: held)
    assert "hunter2" in lines[0]
    assert "hunter2" not in lines[1]
    assert lines[1].count("<secret>") == 2


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.c2lnbmF0dXJl",  # gitleaks:allow
        "$2y$10$" + "a" * 53,
        "https://user:passw0rd@prometheus:9090",
        "https://user:p@passw0rd@prometheus:9090",
    ],
)
def test_what_looks_like_a_secret_is_masked_though_nobody_named_it(secret: str) -> None:
    (line,) = written("logfmt", lambda: log.info("got %s", secret))
    assert "<secret>" in line
    for part in ("c2lnbmF0dXJl", "a" * 53, "passw0rd"):
        assert part not in line


def test_a_short_word_is_not_taken_for_a_secret() -> None:
    (line,) = written("logfmt", lambda: log.info("demo runs"), secrets=lambda: ["demo", ""])
    assert "demo runs" in line
