"""What the program promises of every input from outside, whatever its bytes are.

Each target takes bytes, gives them to our code, and fails if a promise is broken: only the errors
that are documented are raised, and what was accepted can be judged, drawn and shown.
"""

import asyncio
import atexit
import io
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

from nexhealth_exporter import rules, webconfig
from nexhealth_exporter.backtest import Replay, answer, batches
from nexhealth_exporter.backtest.observations import opened
from nexhealth_exporter.backtest.prometheus import Points, series_in
from nexhealth_exporter.errors import ConfigError, PollError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.fleet import Fleet, Policy
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Poll, Sync
from nexhealth_exporter.nexhealth import envelope, payload
from nexhealth_exporter.nexhealth.throttling import retry_after_seconds
from nexhealth_exporter.nexhealth.token import expiry
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.report import Selection, SelectionError, facts_of_row, overdue_rows, pick
from nexhealth_exporter.report.facts import facts_of_institution
from nexhealth_exporter.report.row import rows, rows_of
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.web import html, negotiation
from nexhealth_exporter.web.guard import credentials

T = TypeVar("T")

NOW = 1_772_553_600.0
"""A Tuesday morning in New York."""

LONGEST_NAME = 200

DEFAULTS = Defaults("America/New_York", "US", stale_after=86400.0, abandoned_after=30 * 86400.0)
OFFICES = (
    Institution("smiles", 1, "Smiles", "US", (Location(1, "America/Chicago"),)),
    Institution("molars", 2, "Molars", "CA", (Location(2, "Nowhere/Atall"),)),
)
SYNCS = (
    Sync(
        "Main", IntegrationType.SERVER, "Dentrix", NOW - 900, NOW - 86400, locations=(Location(1),)
    ),
    Sync("Second", IntegrationType.CLOUD, "Athena", None, NOW - 60),
)

OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal, an editor or a parser of lines would obey; line feeds apart."""

SERIES = re.compile(r'# .*|[a-z_]+(\{(\w+="([^"\\\n]|\\[\\"n])*",?)*\})? \S+')


@dataclass(frozen=True)
class Target:
    """`promise` raises for bytes that break it; `words` help the fuzzer to find its way."""

    promise: Callable[[bytes], None]
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.promise.__name__

    @property
    def seeds(self) -> Path:
        """A folder of small inputs to begin with, and of all that once broke the promise."""
        return Path(__file__).parent / "seeds" / self.name


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns."""
    return _loop().run_until_complete(work)


# What the API answers


def payload_is_read_or_refused(data: bytes) -> None:
    rejected: list[int] = []

    def reject(entries: int, why: envelope.Why, institution: str | None) -> None:
        assert why in get_args(envelope.Why)
        assert institution in {None, *(office.subdomain for office in OFFICES)}
        rejected.append(entries)

    for read in (_syncs, _fleet, _inventory, _token):
        try:
            read(data, reject)
        except PollError as error:
            _is_plain(str(error))
    assert all(number > 0 for number in rejected)


def _syncs(data: bytes, reject: envelope.Reject) -> None:
    found = envelope.decode(bytearray(data))
    _are_sound(finished(payload.syncs(found, OFFICES[0], reject)))


def _fleet(data: bytes, reject: envelope.Reject) -> None:
    found = finished(payload.fleet(envelope.decode(data), _watched(OFFICES), reject))
    assert found.keys() <= {office.subdomain for office in OFFICES}
    for syncs in found.values():
        _are_sound(syncs)


def _inventory(data: bytes, reject: envelope.Reject) -> None:
    listed = finished(payload.institutions(envelope.decode(data), reject))
    for office in payload.merged(listed, listed):
        assert office.subdomain.isprintable()
        assert 0 < len(office.subdomain) <= LONGEST_NAME
        _are_shown([office.name, office.country or "", *_words_of(office.locations)])


def _token(data: bytes, _reject: envelope.Reject) -> None:
    token = payload.bearer_token(envelope.decode(data))
    assert token.isascii()
    assert token.isprintable()


def _are_sound(syncs: tuple[Sync, ...]) -> None:
    assert len({sync.name for sync in syncs}) == len(syncs)
    for sync in syncs:
        assert sync.name
        _are_shown([sync.name, sync.emr, *_words_of(sync.locations)])
        for mark in (sync.read_at, sync.write_at):
            assert mark is None or math.isfinite(mark)


def _words_of(locations: Iterable[Location]) -> list[str]:
    return [each.timezone or "" for each in locations]


def _is_plain(text: str) -> None:
    assert not OBEYED.search(text), text


def _are_shown(words: Iterable[str]) -> None:
    for word in words:
        assert not OBEYED.search(word)
        assert "\n" not in word
        assert len(word) <= LONGEST_NAME


def answers_can_be_judged_and_shown(data: bytes) -> None:
    """The same bytes as the inventory and as every answer, twice."""
    try:
        found = envelope.decode(data)
    except PollError:
        return
    try:
        listed = finished(payload.institutions(found, _nothing))[:5]
    except PollError:
        listed = []
    offices = (*OFFICES, *listed)
    by_rules = policy(Rules(), DEFAULTS)
    fleet = Fleet().watching(_watched(offices), by_rules)
    for at in (NOW - 300, NOW):
        polls = []
        for office in fleet:
            try:
                syncs = finished(payload.syncs(found, office.institution, _nothing))[:5]
            except PollError as error:
                polls.append(Poll(office.institution.subdomain, at, failure=error.reason))
            else:
                polls.append(Poll(office.institution.subdomain, at, syncs))
        fleet = fleet.after(polls, by_rules).with_incidents()
    is_shown(fleet)


def _nothing(_entries: int, _why: envelope.Why, _institution: str | None) -> None:
    pass


def _watched(offices: Iterable[Institution]) -> Inventory:
    return Inventory({office.subdomain: office for office in offices})


def is_shown(fleet: Fleet, now: float = NOW + 60) -> None:
    """The metrics, the JSON and the pages can be drawn, and are what they should be."""
    page = Page(OwnMetrics("1.0"))
    for openmetrics in (False, True):
        drawn = finished(
            page.write(fleet, now, openmetrics=openmetrics, names=frozenset(), gzip=False)
        )
        text = b"".join(drawn).decode()
        assert not OBEYED.search(text)
        for line in text.splitlines():
            assert SERIES.fullmatch(line), line
    found = rows(fleet, now)
    json.dumps([facts_of_row(row) for row in found], allow_nan=False)
    for standing in fleet:
        json.dumps(facts_of_institution(standing), allow_nan=False)
        shown = html.render(
            "institution.html",
            root="./",
            static_version="1",
            now=now,
            standing=standing,
            rows=rows_of(standing, fleet, now),
            overdue=overdue_rows(fleet, now),
            incidents=fleet.incidents,
        )
        assert shown.count("<script") == shown.count("</script>") == 1
    assert pick(found, Selection()).total == len(found)


def retry_after_is_seconds_or_nothing(data: bytes) -> None:
    seconds = retry_after_seconds(data.decode("latin-1"), NOW)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


def token_expires_in_the_future(data: bytes) -> None:
    expires = expiry(data.decode("latin-1"), NOW)
    assert math.isfinite(expires)
    assert expires > NOW


# What the operator writes


def rules_are_taken_or_refused_with_the_line(data: bytes) -> None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    try:
        found = rules.read(text, "config.yaml")
    except ConfigError as error:
        _tells_where(error, "config.yaml:")
        return
    by_rules = policy(found, DEFAULTS)
    watched = _watched(office for office in OFFICES if found.monitored(office))
    fleet = Fleet().watching(watched, by_rules)
    for at in (NOW - 300, NOW):
        fleet = fleet.after([Poll(s, at, SYNCS) for s in watched.institutions], by_rules)
    found.unmatched(
        (office, [(s.emr, IntegrationType.SERVER) for s in SYNCS]) for office in OFFICES
    )
    is_shown(fleet)


@cache
def _file(_process: int) -> Path:
    """A file of this process alone: those beside it begin as copies of one process."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return Path(folder, "web.yaml")


def web_config_is_taken_or_refused_with_the_line(data: bytes) -> None:
    file = _file(os.getpid())
    file.write_bytes(data)
    try:
        found = webconfig.load(file)
    except ConfigError as error:
        _tells_where(error, "web.yaml:", f"{file} ")
        return
    for name, value in found.headers.items():
        assert (name + value).isprintable()
        assert (name + value).isascii()


def _tells_where(error: ConfigError, *beginnings: str) -> None:
    """Every sentence names the file, and nothing in it moves a terminal."""
    assert str(error)
    for sentence in str(error).split("\n"):
        assert sentence.startswith(beginnings), sentence
        assert not OBEYED.search(sentence), sentence


# What is learned from


def observations_are_replayed_or_refused_with_the_line(data: bytes) -> None:
    replay = Replay(policy(Rules(), DEFAULTS), lambda _: True)
    raw: io.BufferedReader = io.BufferedReader(io.BytesIO(data))
    try:
        for batch in batches(opened(raw), "past.jsonl"):
            replay.feed(batch)
    except ConfigError as error:
        _tells_where(error, "past.jsonl:")
        return
    if replay.last is not None:
        json.dumps(answer(replay, None).as_json(), allow_nan=False)


def history_is_read_or_refused(data: bytes) -> None:
    try:
        points = Points(series_in(200, data))
    except ConfigError as error:
        _is_plain(str(error))
        return
    for found in points.points.values():
        for value in found.values():
            datetime.fromtimestamp(value, UTC)


# What a client asks


def request_is_understood_or_refused(data: bytes) -> None:
    """Lines: Authorization, Accept, Accept-Encoding, query."""
    lines = [*data.decode("utf-8", "surrogateescape").split("\n"), "", "", ""]
    said = credentials(lines[0])
    assert said is None or ":" not in said[0]
    assert negotiation.content_type(lines[1]) in {negotiation.TEXT, negotiation.OPENMETRICS}
    assert negotiation.wants_gzip(lines[2]) in {True, False}
    query = dict(parse_qsl(lines[3], keep_blank_values=True, errors="surrogateescape"))
    try:
        selection = Selection.of(query)
    except SelectionError as error:
        _is_plain(str(error))
        return
    assert Selection.of(selection.query()) == selection
    found = rows(_SHOWN, NOW)
    assert len(pick(found, selection).rows) <= len(found)


def _shown_fleet() -> Fleet:
    by_rules: Policy = policy(Rules(), DEFAULTS)
    fleet = Fleet().watching(_watched(OFFICES), by_rules)
    return fleet.after([Poll(office.subdomain, NOW, SYNCS) for office in OFFICES], by_rules)


_SHOWN = _shown_fleet()

_ANSWER = (
    *("code", "true", "false", "null", "data", "description", "error", "count", "id", "name"),
    *("institution_id", "subdomain", "sync_source_name", "emr", "ehr", "display_name", "type"),
    *("onprem", "cloud", "read_status", "read_status_at", "write_status", "write_status_at"),
    *("green", "red", "locations", "tz", "country_code", "state", "inactive", "token", "\\ud800"),
    *("America/Chicago", "2026-03-03T11:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59"),
)
_YAML = (
    *("%YAML 1.1\n---\n", "%TAG ! x:\n", "!!", "!!float ", "!!int ", "!!binary ", "&a ", "*a"),
    *("<<: ", "? ", "- ", ": ", "|\n", ">\n", "{}", "[]", ".inf", "-.inf", ".nan", "0x", "0o", "~"),
)

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(payload_is_read_or_refused, _ANSWER),
        Target(answers_can_be_judged_and_shown, _ANSWER),
        Target(retry_after_is_seconds_or_nothing, ("GMT", "Wed, 21 Oct 2026 07:28:00", "-0000")),
        Target(token_expires_in_the_future, ("exp", "iat", "eyJleHAiOjF9", "e30")),
        Target(
            rules_are_taken_or_refused_with_the_line,
            (
                *_YAML,
                *("schedules", "hours", "lunch", "holidays", "closures", "institutions", "match"),
                *("subdomain", "id", "emr", "integration_type", "schedule", "timezone", "group"),
                *("monitored", "allowance", "warning", "critical", "read", "write", "server"),
                *("mon-fri", "00:00-24:00", "22:00-06:00", "closed", "none", "US", "45m..3h"),
                *("2026-12-24..2027-01-02", "9999-12-31", "0001-01-01", "days", "400d"),
            ),
        ),
        Target(
            web_config_is_taken_or_refused_with_the_line,
            (
                *_YAML,
                *("tls_server_config", "cert_file", "key_file", "client_auth_type"),
                *("client_ca_file", "min_version", "TLS13", "cipher_suites", "http_server_config"),
                *("http2", "headers", "X-Frame-Options", "basic_auth_users"),
            ),
        ),
        Target(
            observations_are_replayed_or_refused_with_the_line,
            (
                *("at", "institution", "sync", "emr_type", "onprem", "cloud", "timezone"),
                *("read_at", "write_at", "read_status", "write_status", "green", "red", "null"),
                *("2026-03-03T11:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z"),
            ),
        ),
        Target(
            history_is_read_or_refused,
            ("status", "success", "data", "result", "metric", "values", "NaN", "+Inf", "error"),
        ),
        Target(
            request_is_understood_or_refused,
            (
                *(
                    "Basic ",
                    "Og==",
                    "text/plain;version=0.0.4;q=0.5",
                    "application/openmetrics-text",
                ),
                *("gzip;q=0", "text=", "&state=", "&integration_type=", "&page=", "&per_page="),
                *("overdue", "resting", "&reason=", "lunch", "%00", "%ff"),
            ),
        ),
    )
}
