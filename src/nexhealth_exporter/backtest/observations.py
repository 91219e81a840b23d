"""Observations as JSON lines: each is one sync at one instant, ordered by time."""

import io
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import IO, NamedTuple, cast

import msgspec
from isal import igzip, igzip_lib

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.expectation.expectation import EARLIEST, LATEST

GZIP = b"\x1f\x8b"

BATCH_SECONDS = 30.0
"""Seconds; observations of different institutions that lie closer together form one batch."""


LONGEST_LINE = 1 << 20
"""Bytes of a line with its newline; an endless one, as from a device, would fill the memory."""

# Its stub takes the class for an instance.
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)
_DAMAGED = (OSError, EOFError, zlib.error, _ISAL_ERROR)
"""What reading a truncated or corrupt file can raise."""


class Observation(msgspec.Struct, gc=False):
    """One line. Instants are text as in the file; `instant` parses them."""

    at: str
    institution: str
    sync: str
    emr_type: str | None = None
    timezone: str | None = None
    read_at: str | None = None
    write_at: str | None = None
    read_status: str | None = None
    write_status: str | None = None


class Batch(NamedTuple):
    """Observations close in time, each institution at one instant only, with POSIX seconds."""

    rows: list[tuple[float, Observation]]


def opened(raw: io.BufferedReader) -> IO[bytes]:
    """The lines of a file or a pipe, decompressed if it is gzipped."""
    if raw.peek(len(GZIP)).startswith(GZIP):
        unpacked = igzip.IGzipFile(fileobj=raw)  # type: ignore[no-untyped-call]
        return io.BufferedReader(unpacked, 1 << 20)
    return raw


def batches(file: IO[bytes], name: str) -> Iterator[Batch]:
    """The observations in order. Raises ConfigError with the number of an invalid line."""
    rows: list[tuple[float, Observation]] = []
    instants: dict[str, float] = {}
    first = 0.0
    for at, seen in _read(file, name):
        if rows and (at > first + BATCH_SECONDS or instants.get(seen.institution, at) != at):
            yield Batch(rows)
            rows, instants = [], {}
        if not rows:
            first = at
        instants[seen.institution] = at
        rows.append((at, seen))
    if rows:
        yield Batch(rows)


def _read(file: IO[bytes], name: str) -> Iterator[tuple[float, Observation]]:
    decode = msgspec.json.Decoder(Observation).decode
    text: str | None = None
    at, number = float("-inf"), 0
    try:
        for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE + 1), b""), 1):
            if len(line) > LONGEST_LINE:
                raise ConfigError(f"{name}:{number}: the line is longer than 1 MiB.")
            if number == 1:
                line = line.removeprefix(BOM_UTF8)  # noqa: PLW2901 - as written on Windows
            if not line.strip():
                continue
            seen = decode(line)
            if seen.at != text:
                latest = _observed_at(seen.at)
                if latest < at:
                    raise ConfigError(
                        f"{name}:{number}: {seen.at} comes after {text}; "
                        "observations must be ordered by time."
                    )
                text, at = seen.at, latest
            yield at, seen
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{name}:{number}: not an observation: {error}") from None
    except _DAMAGED as error:
        raise ConfigError(f"{name}: cannot be read after line {number}: {error}") from None


def _observed_at(text: str) -> float:
    at = instant(text)
    if not text.isprintable():  # Python takes any character for the T, and line feeds before the Z
        raise ValueError(f"{text!r} is not a time")
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"{text} lies outside the years 1970 to 2099")
    return at


def instant(text: str) -> float:
    """POSIX seconds of an RFC 3339 instant; without an offset it is UTC. Raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found.timestamp()
