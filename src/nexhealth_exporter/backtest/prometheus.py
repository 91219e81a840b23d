"""Observations from the history in a Prometheus that scraped this exporter."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import aiohttp
import msgspec
from yarl import URL

from nexhealth_exporter.backtest.observations import Batch, Observation
from nexhealth_exporter.errors import DECODING, ConfigError
from nexhealth_exporter.nexhealth.exchange import failure
from nexhealth_exporter.nexhealth.payload import COLOURS, TYPES
from nexhealth_exporter.nexhealth.text import clean

HISTORY_SECONDS = 42 * 86400.0
"""Six weeks, from which patterns are made."""

UNAUTHORIZED = 401

STEP = 300.0
CHUNK_STEPS = 72
"""Points per series and query: Prometheus allows 11,000, but they would take much memory."""

MOST_BYTES = 256 << 20
"""Of one answer, decompressed: enough for the points of 100,000 syncs."""

_SYNC = "institution, sync, integration_type"
_READ = f"max by ({_SYNC}) (nexhealth_sync_last_read_timestamp_seconds)"
_WRITE = f"max by ({_SYNC}) (nexhealth_sync_last_write_timestamp_seconds)"
_COLOUR = f"min by ({_SYNC}) (nexhealth_sync_read_up)"
_POLL = "max by (institution) (nexhealth_institution_last_poll_timestamp_seconds)"
_INFO = "max by (institution, sync, timezone) (last_over_time(nexhealth_sync_info[2d]))"
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC).timestamp(), 1e11
"""Values outside the years 1 to 5138 are no instants."""

_TYPE_WORDS = {kind.value: word for word, kind in TYPES.items()}
_COLOUR_TYPE_WORDS = {is_good: word for word, is_good in COLOURS.items()}

Key = tuple[str, str]


class Series(msgspec.Struct):
    """One series of an answer: its labels, and its points if the query was for a range."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct):
    result: list[Series] = []


class _Envelope(msgspec.Struct):
    status: str
    data: _Data = msgspec.field(default_factory=_Data)
    error: str = ""


_envelope = msgspec.json.Decoder(_Envelope)


async def history(
    url: str, start: float, end: float, tenant: str | None = None
) -> AsyncIterator[Batch]:
    """What the exporter saw from `start` to `end` (POSIX seconds), ordered by time.

    `tenant` is whose data to read where one Mimir holds that of several. Raises ConfigError if
    Prometheus does not give a usable answer.
    """
    polled: dict[str, float] = {}
    headers = {"X-Scope-OrgID": tenant} if tenant else None
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        ask = _Queries(session, url.rstrip("/"))
        zones = await ask.zones(end)
        at = start
        while at < end:
            until = min(at + (CHUNK_STEPS - 1) * STEP, end)
            chunk = await ask.chunk(at, until)
            for instant in _instants(at, until):
                news = chunk.polled_since(polled, instant)
                rows = list(_rows(chunk, instant, news, zones))
                polled |= news
                if rows:
                    yield Batch(sorted(rows, key=lambda row: row[0]))
            at = until + STEP


def _instants(start: float, end: float) -> Iterator[float]:
    number = 0
    while (at := start + number * STEP) <= end:
        yield at
        number += 1


class Points:
    """The points of one query by institution and sync, and the types of the syncs."""

    def __init__(self, result: Iterable[Series]) -> None:
        self.points: dict[Key, dict[float, float]] = {}
        self.types: dict[Key, str] = {}
        for series in result:
            labels = series.metric
            key = (labels.get("institution", ""), labels.get("sync", ""))
            self.types[key] = labels.get("integration_type", "")
            found = self.points.setdefault(key, {})
            for at, text in series.values:
                if (value := _number(text)) is not None:
                    found[round(at, 3)] = value

    def at(self, key: Key, instant: float) -> float | None:
        """The value at that instant, if there is one."""
        return self.points.get(key, {}).get(round(instant, 3))


def _number(text: str) -> float | None:
    """A value that can be an instant or a colour; None for NaN, infinity and other nonsense."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if _EARLIEST <= value < _LATEST else None


class _Chunk(NamedTuple):
    """What was recorded in a stretch of time; `types` are those of the syncs with a mark."""

    read: Points
    write: Points
    colour: Points
    polls: Points
    types: Mapping[Key, str]

    def polled_since(self, polled: Mapping[str, float], instant: float) -> dict[str, float]:
        """The institutions with a later poll at that instant than in `polled`, and when it was."""
        found: dict[str, float] = {}
        for institution, _ in self.types:
            poll = self.polls.at((institution, ""), instant)
            if poll is not None and poll > polled.get(institution, 0.0):
                found[institution] = poll
        return found


def _rows(
    chunk: _Chunk, instant: float, polled: Mapping[str, float], zones: Mapping[Key, str]
) -> Iterator[tuple[float, Observation]]:
    """The syncs of the institutions that were polled, as they were at that instant."""
    for key, kind in chunk.types.items():
        poll = polled.get(key[0])
        read, write = chunk.read.at(key, instant), chunk.write.at(key, instant)
        if poll is None or (read is None and write is None):
            continue
        colour = chunk.colour.at(key, instant)
        yield (
            poll,
            Observation(
                at=_iso(poll) or "",
                institution=key[0],
                sync=key[1],
                emr_type=_TYPE_WORDS.get(kind),
                timezone=zones.get(key),
                read_at=_iso(read),
                write_at=_iso(write),
                read_status=None if colour is None else _COLOUR_TYPE_WORDS[bool(colour)],
            ),
        )


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()


class _Queries:
    """Queries to one Prometheus."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def chunk(self, start: float, end: float) -> _Chunk:
        """What was recorded from start to end."""
        read, write, colour, polls = [
            await self._range(query, start, end) for query in (_READ, _WRITE, _COLOUR, _POLL)
        ]
        return _Chunk(read, write, colour, polls, read.types | write.types)

    async def _range(self, query: str, start: float, end: float) -> Points:
        """The points from start to end, one per step."""
        parameters = {"query": query, "start": str(start), "end": str(end), "step": str(STEP)}
        return Points(await self._ask("query_range", parameters))

    async def zones(self, at: float) -> dict[Key, str]:
        """The latest known time zone of each sync."""
        result = await self._ask("query", {"query": _INFO, "time": str(at)})
        return {
            (labels.get("institution", ""), labels.get("sync", "")): labels.get("timezone", "")
            for labels in (series.metric for series in result)
        }

    async def _ask(self, path: str, parameters: dict[str, str]) -> list[Series]:
        try:
            # With redirects, whoever answers at this address could choose whom we call.
            async with self._session.post(
                f"{self._url}/api/v1/{path}", data=parameters, allow_redirects=False
            ) as answer:
                status, body = answer.status, await _body(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            # Without the text of the error, which may hold the address with its password.
            said = failure(error, URL(self._url).host or "")
            raise ConfigError(f"Prometheus does not answer. {said}") from None
        return series_in(status, body)


async def _body(answer: aiohttp.ClientResponse) -> bytearray:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MOST_BYTES:
            raise ConfigError(f"Prometheus answered a query with more than {MOST_BYTES >> 20} MiB.")
    return body


def series_in(status: int, body: bytes | bytearray) -> list[Series]:
    """The series in an answer with that HTTP status. Raises ConfigError if it is not usable."""
    try:
        found = _envelope.decode(body)
    except DECODING:
        if status == UNAUTHORIZED:
            raise ConfigError(
                "Prometheus requires a user and a password (use http://user:password@...) "
                "or a tenant (set PROMETHEUS_TENANT)."
            ) from None
        raise ConfigError(
            f"the server at the Prometheus URL does not answer like Prometheus (HTTP {status})."
        ) from None
    if found.status != "success":
        raise ConfigError(f"Prometheus refused a query: {clean(found.error)}.")
    return found.data.result
