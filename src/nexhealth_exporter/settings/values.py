"""From the text of a setting to its value; a ValueError says what it must be.

The text of each error completes a sentence that begins with the name of the setting.
"""

import math
import re
import zoneinfo
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

from nexhealth_exporter.expectation.calendar import is_country
from nexhealth_exporter.expectation.zone import is_zone

YEAR_SECONDS = 366 * 86400

_LARGEST_COUNT = 1_000_000_000
_LARGEST_PORT = 65535
_FITS_A_HEADER = re.compile(r"[!-~]+")


class LogLevel(StrEnum):
    """The least severe events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How an event is written."""

    LOGFMT = "logfmt"
    JSON = "json"


class Exposition(StrEnum):
    """How the page of metrics is drawn."""

    FAST = "fast"
    REFERENCE = "reference"


class ListenAddress(msgspec.Struct, frozen=True):
    """Where to serve. `host` None means every interface; port 0 means any free port."""

    host: str | None
    port: int

    def __str__(self) -> str:
        """The address as it would be set."""
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or ""
        return f"{host}:{self.port}"


def seconds(value: object) -> float:
    """A duration, from one second to a year."""
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not 1 <= number <= YEAR_SECONDS:
        raise ValueError("must be a number of seconds from 1 to a year, such as 300")
    return number


def count(value: object) -> int:
    """A whole number, not negative."""
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _LARGEST_COUNT:
        raise ValueError("must be a whole number, such as 50")
    return int(text)


def positive(value: object) -> int:
    """A whole number of at least one."""
    number = count(value)
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def key(value: object) -> str:
    """An API key: text that can be sent as a header."""
    text = str(value).strip()
    if not text:
        raise ValueError("is empty; put the key of the NexHealth developer portal there")
    if not _FITS_A_HEADER.fullmatch(text):
        raise ValueError("contains spaces or characters that no key has; copy the key again")
    return text


def header_word(value: object) -> str:
    """One word that can be sent as a header."""
    text = str(value)
    if not _FITS_A_HEADER.fullmatch(text):
        raise ValueError("must be one word, such as v3.0.0")
    return text


def url(value: object) -> str:
    """An http or https address without credentials; a slash at its end is dropped."""
    if _split(value).username is not None:
        raise ValueError("must not contain a user or password")
    return url_with_credentials(value)


def url_with_credentials(value: object) -> str:
    """An http or https address; a slash at its end is dropped."""
    parts = _split(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https address, such as https://nexhealth.info")
    if parts.query or parts.fragment:
        raise ValueError("must be an address without ? and #")
    return parts.geturl().rstrip("/")


def _split(value: object) -> SplitResult:
    text = str(value)
    try:
        parts = urlsplit(text)
        usable = parts.port != 0 and not re.search(r"\s", text) and _is_host(parts.hostname or "")
    except ValueError:
        usable = False
    if not usable:
        # The cause is not chained: its text would show the address, which may hold a password.
        raise ValueError("is not an address; check host and port")
    return urlsplit(text)


def _is_host(name: str) -> bool:
    """Whether the name can be looked up: no label is empty or longer than 63 characters."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def pattern(value: object) -> re.Pattern[str]:
    """A compiled regular expression."""
    try:
        return re.compile(str(value))
    except (re.error, OverflowError) as e:
        raise ValueError(f"is not a regular expression: {e}") from e
    except RecursionError:
        raise ValueError("is not a regular expression: it is nested too deeply") from None


def path(value: object) -> Path:
    """A file's path; the file need not exist yet."""
    text = str(value)
    if "\0" in text:
        raise ValueError("must be the path of a file")
    return Path(text)


def timezone(value: object) -> str:
    """A time zone's IANA name."""
    name = str(value)
    if not is_zone(name):
        # Imported late, to keep the start fast: only a mistake needs it.
        from nexhealth_exporter.document import did_you_mean  # noqa: PLC0415

        known = zoneinfo.available_timezones()
        remedy = did_you_mean(name, known, "write one such as America/New_York")
        raise ValueError(f"is not a time zone; {remedy}")
    return name


def country(value: object) -> str:
    """A country's code that the holidays library knows."""
    code = str(value)
    if not is_country(code):
        raise ValueError("is not a country with known holidays; write its code, such as US")
    return code


def listen_address(value: object) -> ListenAddress:
    """`host:port`, `[v6 address]:port` or `:port`."""
    found = re.fullmatch(
        r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:/\[\]]*)):(?P<port>\d+)", str(value)
    )
    is_usable = found is not None and _is_host(found["host"] or "")
    if found is None or not is_usable or int(found["port"]) > _LARGEST_PORT:
        raise ValueError("must be host:port, such as 0.0.0.0:10639, [::1]:10639 or :10639")
    return ListenAddress(found["v6"] or found["host"] or None, int(found["port"]))


def lowered(value: object) -> object:
    """The text in lower case, for words of a fixed set."""
    return value.lower() if isinstance(value, str) else value
