"""What can go wrong with the simulated NexHealth, switched on by a test.

    sim.faults["smile-downtown"] = Hang()        # calls scoped to this institution
    sim.faults["/locations"] = Status(500)       # calls of this path
    sim.faults["*"] = Throttle(retry_after=3)    # every call
    del sim.faults["*"]                          # over

The most specific key that is set wins: institution, then path, then `*`. A fault of an
institution spoils the calls that name it; an `Edit` of an institution changes its entries in
scoped and in fleet-wide answers alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Entry = Any
"""One element of `data`: an object as the API gives it, or whatever an edit makes of it."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and never answer."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Send the headers and half of the body, then nothing more."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Answer correctly, but this many seconds late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with a status. `body` is `json` (the API's own shape), `html`, `text` or `empty`."""

    code: int
    body: str = "json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Throttle:
    """Answer 429; `retry_after` in seconds, told as a number or as a date, or left out."""

    retry_after: float | None = None
    as_date: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer HTTP 200 with `code: false` and these errors."""

    errors: tuple[str, ...] = ("Something went wrong.",)


@dataclass(frozen=True, slots=True)
class Body:
    """Answer with exactly these bytes and HTTP 200 or another status."""

    content: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Send exactly these bytes instead of an HTTP response, then close the connection."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Huge:
    """Stream a valid beginning and then this many bytes of one long string."""

    size: int = 500_000_000


@dataclass(frozen=True, slots=True)
class Flood:
    """Stream a valid answer with this many tiny entries."""

    entries: int
    entry: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class Absent:
    """Leave the institution out of fleet-wide answers; asked for alone, it is answered."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Change the institution's entries of `/sync_status`; gets and returns the list."""

    change: Callable[[list[Entry]], list[Entry]]


@dataclass(slots=True)
class First:
    """Apply the fault to the first `times` calls only."""

    times: int
    fault: "Fault"


@dataclass(slots=True)
class InTurn:
    """Apply these faults in turn, one per call, starting over after the last."""

    faults: Sequence["Fault"]
    calls: int = 0


Fault = (
    Hang
    | Stall
    | Reset
    | Slow
    | Status
    | Throttle
    | Refusal
    | Body
    | Raw
    | Huge
    | Flood
    | Absent
    | Edit
    | First
    | InTurn
)

HTML = Body(b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")
TRUNCATED = Body(b'{"code": true, "description": null, "error": null, "data": [{"institution_id"')
NOT_UTF8 = Body(b'{"code": true, "error": null, "data": [{"sync_source_name": "\xff\xfe\x80"}]}')
DEEP = Body(b'{"code": true, "data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}")
NULL = Body(b"null")
EMPTY = Body(b"")
NUMBERS = Body(b'{"code": true, "error": null, "data": [1, "two", null, [3], true], "count": 5}')
WRONG_TYPES = Body(
    b'{"code": "yes", "description": 7, "error": {"a": 1}, "count": "many", "data": {"locations":'
    b' 12, "institution_id": "one", "emr": [], "read_status_at": {"year": 2026}}}'
)
NAN = Body(b'{"code": true, "error": null, "data": [{"institution_id": NaN, "locations": null}]}')
GARBAGE: Mapping[str, Body] = {
    "html": HTML,
    "truncated": TRUNCATED,
    "not-utf8": NOT_UTF8,
    "deep": DEEP,
    "null": NULL,
    "empty": EMPTY,
    "not-objects": NUMBERS,
    "wrong-types": WRONG_TYPES,
    "nan": NAN,
}
"""Answers that are not what the API documents, by name."""


def each(change: Callable[[dict[str, Any]], object]) -> Edit:
    """An edit that changes every entry in place."""

    def edit(entries: list[Entry]) -> list[Entry]:
        for entry in entries:
            change(entry)
        return entries

    return Edit(edit)


def marks(value: object, *keys: str) -> Edit:
    """An edit that puts `value` in place of the marks (both, or the keys that are named)."""
    names = keys or ("read_status_at", "write_status_at")
    return each(lambda entry: entry.update(dict.fromkeys(names, value)))


def _duplicate(entries: list[Entry]) -> list[Entry]:
    return [*entries, *({**entry} for entry in entries)]


NULL_MARKS = marks(None)
NO_MARKS = each(lambda e: [e.pop("read_status_at"), e.pop("write_status_at")])
NO_EMR_TYPE = each(lambda e: e["emr"].pop("type", None))
NO_EMR = each(lambda e: e.pop("emr"))
EHR = each(lambda e: e.update(ehr=e.pop("emr")))
NO_LOCATIONS = each(lambda e: e.update(locations=None))
STRANGE_ENTRIES = Edit(lambda entries: [None, "text", 7, [], *entries, {}])
DUPLICATES = Edit(_duplicate)
