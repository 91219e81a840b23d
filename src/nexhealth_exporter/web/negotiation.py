"""Which format and encoding a scraper gets, from its Accept headers."""

from collections.abc import Iterator
from typing import NamedTuple

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"

_OPENMETRICS_VERSIONS = frozenset({"", "0.0.1", "1.0.0"})
"""A client that asks for the draft (0.0.1) can read the standard too."""

_ANY_TEXT = frozenset({"text/plain", "text/*", "*/*"})


class _Wish(NamedTuple):
    """One entry of an Accept header; `quality` from 0 (never) to 1."""

    name: str
    parameters: dict[str, str]
    quality: float


def content_type(accept: str) -> str:
    """The preferred content type, the first of equals; text if none of them is known."""
    found = [
        (wish.quality, kind) for wish in _wishes(accept) if (kind := _kind(wish)) and wish.quality
    ]
    return max(found, key=lambda each: each[0], default=(1.0, TEXT))[1]


def wants_gzip(accept_encoding: str) -> bool:
    """Whether gzip is listed, and not with a quality of 0."""
    return any(wish.name == "gzip" and wish.quality > 0 for wish in _wishes(accept_encoding))


def _kind(wish: _Wish) -> str | None:
    if wish.name == "application/openmetrics-text":
        known = wish.parameters.get("version", "") in _OPENMETRICS_VERSIONS
        return OPENMETRICS if known else None
    return TEXT if wish.name in _ANY_TEXT else None


def _wishes(header: str) -> Iterator[_Wish]:
    for entry in header.split(","):
        name, *rest = (part.strip() for part in entry.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {key.strip().lower(): value.strip(' "') for key, _, value in pairs}
        yield _Wish(name.lower(), parameters, _quality(parameters.get("q", "1")))


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
