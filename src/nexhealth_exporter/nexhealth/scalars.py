"""Single values of a JSON answer, whatever their JSON type; None for an unusable value."""

import re
from datetime import UTC, datetime

from msgspec import ValidationError, convert

from nexhealth_exporter.nexhealth.text import clean

_MAX_DIGITS = 19
_MAX_INTEGER = 2**63 - 1
_MAX_INSTANT = 64
_MAX_TEXT = 10_000
_MAX_PIECES = 20

_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d(:\d\d([.,]\d+)?)?)"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d\d(:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


def integer(value: object) -> int | None:
    """A non-negative whole number, given as a number or as digits."""
    match value:
        case bool():
            return None
        case int():
            number = value
        case float():
            number = int(value) if value.is_integer() else -1
        case str() if value.isascii() and value.strip().isdigit() and len(value) <= _MAX_DIGITS:
            number = int(value)
        case _:
            return None
    return number if 0 <= number <= _MAX_INTEGER else None


def text(value: object) -> str:
    """Text, or a number as text, without characters that must not be shown; otherwise empty."""
    if isinstance(value, str):
        return clean(value[:_MAX_TEXT])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def flag(value: object) -> bool:
    """True for true, 1 and "true"; False for anything else."""
    return text(value).lower() in {"1", "true"} if not isinstance(value, bool) else value


def instant(value: object) -> float | None:
    """POSIX seconds of an ISO 8601 date with a time of day; UTC is assumed without a zone.

    Any instant of the years 1 to 9999 is accepted, however unlikely.
    """
    if not isinstance(value, str) or len(value) > _MAX_INSTANT:
        return None
    try:
        at = convert(value, datetime)  # the format of live answers
    except (ValidationError, UnicodeEncodeError):
        return _lenient_instant(value)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _lenient_instant(value: str) -> float | None:
    found = _INSTANT.fullmatch(value.strip())
    if found is None:
        return None
    zone = (found["zone"] or "Z").upper()
    zone = "+00:00" if zone in {"Z", "UTC", "GMT"} else zone
    try:
        at = datetime.fromisoformat(f"{found['date']}T{found['time']}{zone}")
    except ValueError:
        return None
    return at.timestamp()


def words(value: object) -> str:
    """The text of `description` or `error`: a string, or strings in nested arrays.

    Objects are left out. The result must be `scrubbed` before it is shown.
    """
    if value is None or value == []:
        return ""
    pieces: list[str] = []
    queue: list[object] = [value]
    while queue and len(pieces) < _MAX_PIECES:
        piece = queue.pop(0)
        if isinstance(piece, list):
            queue = [*piece[:_MAX_PIECES], *queue]
        elif said := text(piece):
            pieces.append(said)
    return "; ".join(pieces)
