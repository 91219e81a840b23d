"""Observations from the history of a Prometheus that scraped this exporter."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime

import aiohttp
import msgspec
from yarl import URL

from nexhealth_exporter.backtest.observations import Batch, Seen
from nexhealth_exporter.errors import DECODING, ConfigError
from nexhealth_exporter.nexhealth.exchange import failure
from nexhealth_exporter.nexhealth.text import clean

HISTORY_SECONDS = 42 * 86400.0
"""What patterns are made of: six weeks."""

UNAUTHORIZED = 401

STEP = 300.0
CHUNK_STEPS = 72
"""Points of each series asked for at once: Prometheus refuses 11,000, memory far fewer."""

MOST_BYTES = 256 << 20
"""Of one answer, unpacked: the points of 100,000 syncs."""

_SYNC = "institution, sync, integration_type"
_READ = f"max by ({_SYNC}) (nexhealth_sync_last_read_timestamp_seconds)"
_WRITE = f"max by ({_SYNC}) (nexhealth_sync_last_write_timestamp_seconds)"
_COLOUR = f"min by ({_SYNC}) (nexhealth_sync_read_up)"
_POLL = "max by (institution) (nexhealth_institution_last_poll_timestamp_seconds)"
_INFO = "max by (institution, sync, timezone) (last_over_time(nexhealth_sync_info[2d]))"
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC).timestamp(), 1e11
"""The years 1 to 5138. A mark may lie before the first in UTC; no good one is so late."""

_TYPES = {"server": "onprem", "cloud": "cloud"}

Key = tuple[str, str]


class Series(msgspec.Struct):
    """One series of an answer: its labels, and its points if a range was asked for."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct):
    result: list[Series] = []


class _Told(msgspec.Struct):
    status: str
    data: _Data = msgspec.field(default_factory=_Data)
    error: str = ""


_told = msgspec.json.Decoder(_Told)


async def history(url: str, start: float, end: float) -> AsyncIterator[Batch]:
    """What the exporter saw from `start` to `end` (POSIX), ordered by time.

    Raises ConfigError if Prometheus does not answer as it should.
    """
    polled: dict[str, float] = {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        ask = _Asking(session, url.rstrip("/"))
        zones = await ask.zones(end)
        at = start
        while at < end:
            until = min(at + (CHUNK_STEPS - 1) * STEP, end)
            read, write = await ask.range(_READ, at, until), await ask.range(_WRITE, at, until)
            colours, polls = await ask.range(_COLOUR, at, until), await ask.range(_POLL, at, until)
            types = {**read.types, **write.types}
            for instant in _instants(at, until):
                rows = list(_rows(instant, types, (read, write, colours), polls, (polled, zones)))
                if rows:
                    yield Batch(sorted(rows, key=lambda row: row[0]))
            at = until + STEP


def _instants(start: float, end: float) -> Iterator[float]:
    number = 0
    while (at := start + number * STEP) <= end:
        yield at
        number += 1


class Points:
    """Points of one query, by institution and sync, and the syncs' types."""

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
        """The value then, if there was one."""
        return self.points.get(key, {}).get(round(instant, 3))


def _number(text: str) -> float | None:
    """A value that can be an instant or a colour; None for NaN, infinity and the like."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if _EARLIEST <= value < _LATEST else None


def _rows(
    instant: float,
    types: Mapping[Key, str],
    series: tuple[Points, Points, Points],
    polls: Points,
    known: tuple[dict[str, float], Mapping[Key, str]],
) -> Iterator[tuple[float, Seen]]:
    """The syncs of institutions that were polled since the instant before."""
    polled, zones = known
    news = dict(polled)
    for key, kind in types.items():
        poll = polls.at((key[0], ""), instant)
        if poll is None or poll <= polled.get(key[0], 0.0):
            continue
        news[key[0]] = poll
        read, write, colour = (one.at(key, instant) for one in series)
        if read is None and write is None:
            continue
        yield (
            poll,
            Seen(
                at=_text(poll) or "",
                institution=key[0],
                sync=key[1],
                emr_type=_TYPES.get(kind),
                timezone=zones.get(key),
                read_at=_text(read),
                write_at=_text(write),
                read_status=None if colour is None else ("green" if colour else "red"),
            ),
        )
    polled.update(news)


def _text(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()


class _Asking:
    """Queries of one Prometheus."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def range(self, query: str, start: float, end: float) -> Points:
        """Points from start to end, one each step."""
        asked = {"query": query, "start": str(start), "end": str(end), "step": str(STEP)}
        return Points(await self._ask("query_range", asked))

    async def zones(self, at: float) -> dict[Key, str]:
        """The time zone of each sync, as last told."""
        result = await self._ask("query", {"query": _INFO, "time": str(at)})
        return {
            (labels.get("institution", ""), labels.get("sync", "")): labels.get("timezone", "")
            for labels in (series.metric for series in result)
        }

    async def _ask(self, path: str, asked: dict[str, str]) -> list[Series]:
        try:
            # A redirect would let whoever answers there choose whom we call.
            async with self._session.post(
                f"{self._url}/api/v1/{path}", data=asked, allow_redirects=False
            ) as answer:
                status, body = answer.status, await _body(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            # Not the error's text: it may hold the address with its password.
            said = failure(error, URL(self._url).host or "")
            raise ConfigError(f"Prometheus does not answer. {said}") from None
        return told(status, body)


async def _body(answer: aiohttp.ClientResponse) -> bytearray:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MOST_BYTES:
            raise ConfigError(f"Prometheus answers a query with more than {MOST_BYTES >> 20} MiB.")
    return body


def told(status: int, body: bytes | bytearray) -> list[Series]:
    """What an answer with that HTTP status holds. Raises ConfigError if it is no good answer."""
    try:
        found = _told.decode(body)
    except DECODING:
        if status == UNAUTHORIZED:
            raise ConfigError(
                "Prometheus asks for a user and a password: http://user:password@..."
            ) from None
        raise ConfigError(
            f"what answers at the address of Prometheus is not one (HTTP {status})."
        ) from None
    if found.status != "success":
        raise ConfigError(f"Prometheus refused a query: {clean(found.error)}.")
    return found.data.result
