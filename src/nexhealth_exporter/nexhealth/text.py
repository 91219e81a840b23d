"""Makes text from outside fit for labels, log lines, pages and terminals."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

LABEL_LENGTH = 200
"""The longest name, in characters."""

_HASH_LENGTH = 8

_SHORTEST_SECRET = 8
"""Characters; a shorter text is no secret, and masking it would mask innocent words."""

_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""Soft hyphens, zero-width spaces and marks that change the direction of text, which would make
names differ that look the same. The joiners that emoji and some scripts need are kept."""

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
"""Capitalised words that error messages use; any other may be the name of a person or place."""

_ESCAPED = tuple(map(re.compile, ("[&<>]", "[&<>'+]", "[&<>'+=]")))
"""The characters that one encoder or another escapes to make JSON safe within HTML."""

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
    """`text` if it fits a label, else its beginning and a hash of the whole."""
    if len(text) <= LABEL_LENGTH:
        return text
    short_hash = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{text[: LABEL_LENGTH - _HASH_LENGTH - 1]} {short_hash}"


def mask_secrets(body: bytearray, secrets: tuple[str, ...]) -> None:
    """Mask secrets in a JSON text, in place, however they are escaped.

    An answer that repeats key or token, perhaps as a name, must not carry it any further.
    """
    for spelt in _all_spellings(secrets):
        if spelt in body:
            body[:] = body.replace(spelt, b"(secret)")


@lru_cache(maxsize=4)
def _all_spellings(secrets: tuple[str, ...]) -> frozenset[bytes]:
    long = (secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
    return frozenset().union(*map(_spellings, long))


def _spellings(secret: str) -> frozenset[bytes]:
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
    """A message of the API, without secrets, and without what may be secret or personal.

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
