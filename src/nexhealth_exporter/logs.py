"""Log events as logfmt or JSON, one per line, without secrets."""

import json
import logging
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

MASK = "<secret>"

SHORTEST_SECRET = 8
"""A shorter text is no secret, and masking it would mask innocent words."""

# A JWT, a bcrypt hash, user and password of a URL.
_LOOKS_SECRET = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*|\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|(?<=://)[^/\s\"]+(?=@)"
)
# Control characters, line and paragraph separators, marks that change the direction of text, and
# lone surrogates: what could forge a line, hide text or break the encoding.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_PLAIN = re.compile(r'[^\s"=\\]+')
_NO_KEY = re.compile(r'[\s"=\\]')
_OWN = frozenset({"ts", "level", "logger", "msg", "traceback"})
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(
    level: str,
    form: str,
    *,
    secrets: Callable[[], Iterable[str]] = tuple,
    stream: TextIO | None = None,
) -> None:
    """Write every event to the stream, by default stderr.

    `level` is debug, info, warning or error; `form` is logfmt or json. `secrets` is called for
    each line to learn what to mask, since tokens and keys change.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(secrets) if form == "json" else Logfmt(secrets))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    # With a closed stderr, logging must not print tracebacks of its own.
    logging.raiseExceptions = False


class _Lines(logging.Formatter, ABC):
    """Formats an event as one line; subclasses decide how its fields look."""

    def __init__(self, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The event as one line."""
        return self._masked(self.line(dict(self._fields(record))))

    @abstractmethod
    def line(self, fields: dict[str, Any]) -> str:
        """The fields as one line."""

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        at = datetime.fromtimestamp(record.created, UTC)
        yield "ts", at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield "level", record.levelname.lower()
        yield "logger", record.name
        yield "msg", record.getMessage()
        for key, value in vars(record).items():
            if key not in _STANDARD:
                yield f"{key}_" if key in _OWN else key, value
        if record.exc_info:
            yield "traceback", self.formatException(record.exc_info)

    def _masked(self, line: str) -> str:
        for secret in self._secrets():
            if len(secret) >= SHORTEST_SECRET:
                line = line.replace(secret, MASK)
        return _LOOKS_SECRET.sub(MASK, line)


class Logfmt(_Lines):
    """`key=value` pairs; values that hold spaces, quotes or the like are quoted."""

    def line(self, fields: dict[str, Any]) -> str:
        """The fields as logfmt."""
        return " ".join(f"{_key(key)}={_value(value)}" for key, value in fields.items())


class JsonLines(_Lines):
    """A JSON object."""

    def line(self, fields: dict[str, Any]) -> str:
        """The fields as JSON."""
        text = json.dumps(fields, ensure_ascii=False, default=str)
        return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _key(text: str) -> str:
    return _UNSAFE.sub("_", _NO_KEY.sub("_", text))


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = f"{value:.6g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)  # noqa: PLR2004
    if _PLAIN.fullmatch(text) and not _UNSAFE.search(text):
        return text
    quoted = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{_UNSAFE.sub(_escaped, quoted)}"'


def _escaped(found: re.Match[str]) -> str:
    return _SHORT.get(found[0], f"\\u{ord(found[0]):04x}")
