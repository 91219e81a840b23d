"""Text from outside, made fit to be shown: in labels, in log lines, on pages, in a terminal."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

LABEL_LENGTH = 200
"""The longest name, in characters."""

_HASH_LENGTH = 8

_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""Soft hyphens, zero-width spaces and marks that change the direction of text: they would make two
names differ that look alike. The joiners that emoji and some scripts need are kept."""

_WORDS_LENGTH = 300
_E_MAIL = re.compile(r"[^\s@]+@[^\s@]+")
_PHONE = re.compile(r"(?<!\w)\+?\d[\d\s().-]{5,}\d")
_OPAQUE = re.compile(r"[A-Za-z0-9_.+/=-]{32,}")
_WORD = re.compile(r"[^\W_]\w*(?:['\u2019-]\w+)*")
_VERSION_OR_SMALL = re.compile(r"v\d+|\d{1,3}", re.ASCII)
_NO_NAME = re.compile(
    r"""
    A|Access|Account|An|API|Api|Authorization|Bad|Bearer|Cannot|Could|EHR|EMR|Error|Expired|Failed|
    Forbidden|Found|Gateway|HTTP|ID|Institution|Internal|Invalid|It|JSON|Key|Limit|Location|Many|
    Missing|Must|Nex-Api-Version|NexHealth|No|Not|Only|Parameters?|Please|Rate|Record|Requests?|
    Resource|Server|Service|Something|Sorry|Status|Subdomain|Sync|That|The|There|This|Timeout|
    Token|Too|Unable|Unauthorized|Unavailable|Unknown|URL|Version|Your?
    """,
    re.VERBOSE,
)
"""Capitalised words that error messages use; any other may name a person or a place."""

_ESCAPED = tuple(map(re.compile, ("[&<>]", "[&<>'+]", "[&<>'+=]")))
"""What one or another encoder escapes to make JSON safe within HTML."""

_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")

_SPACED = ("Cc", "Zl", "Zp", "Cs")
"""Control characters, line and paragraph separators, lone surrogates: replaced by a space."""


def clean(text: str) -> str:
    """`text` on one line, trimmed, without characters that control a terminal or a browser."""
    if not text.isprintable():
        text = _INVISIBLE.sub("", text)
        text = "".join(" " if unicodedata.category(c) in _SPACED else c for c in text)
    return text.strip()


def shortened(text: str) -> str:
    """`text` if it is short enough, else its beginning and a hash of the whole."""
    if len(text) <= LABEL_LENGTH:
        return text
    short_hash = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{text[: LABEL_LENGTH - _HASH_LENGTH - 1]} {short_hash}"


def spellings(secret: str) -> frozenset[bytes]:
    """How JSON may spell it: plain, or with characters escaped that need not be."""
    plain = secret.replace("\\", r"\\").replace('"', r"\"")
    lower = {escaped.sub(_as_escape, plain) for escaped in _ESCAPED}
    written = {plain, *lower, *(_ESCAPE.sub(_in_capitals, one) for one in lower)}
    return frozenset(each.encode() for one in written for each in (one, one.replace("/", r"\/")))


def _as_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _in_capitals(found: re.Match[str]) -> str:
    return f"\\u{found[1].upper()}"


def scrubbed(words: str, secrets: Iterable[str]) -> str:
    """What the API said, without secrets, and without what may be a secret or personal.

    Numbers and capitalised words often belong to a street, a city or a person: few are kept.
    """
    for secret in secrets:
        words = words.replace(secret, "(secret)") if secret else words
    words = _OPAQUE.sub("(opaque)", words)
    words = _PHONE.sub("(number)", _E_MAIL.sub("(address)", words))
    return _WORD.sub(_harmless, words)[:_WORDS_LENGTH]


def _harmless(word: re.Match[str]) -> str:
    said = word[0]
    if any(c.isdigit() for c in said):
        return said if _VERSION_OR_SMALL.fullmatch(said) else "(number)"
    return said if _NO_NAME.fullmatch(said) or (said.isascii() and said.islower()) else "(name)"
