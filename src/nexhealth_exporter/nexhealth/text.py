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
"""Soft hyphens, zero-width spaces and what turns the direction of text: two names that look
alike would differ. The joiners that emoji and some scripts are made with stay."""

_WORDS_LENGTH = 300
_E_MAIL = re.compile(r"[^\s@]+@[^\s@]+")
_PHONE = re.compile(r"\+?\d[\d\s().-]{5,}\d")
_OPAQUE = re.compile(r"[A-Za-z0-9_.+/=-]{32,}")

_SPACED = ("Cc", "Zl", "Zp", "Cs")
"""Control characters, line and paragraph separators, lone surrogates: a space instead."""


def clean(text: str) -> str:
    """`text` on one line, without what a terminal or a browser would obey, trimmed."""
    if not text.isprintable():
        text = _INVISIBLE.sub("", text)
        text = "".join(" " if unicodedata.category(c) in _SPACED else c for c in text)
    return text.strip()


def shortened(text: str) -> str:
    """`text` when it is short enough, else its beginning and a hash of the whole."""
    if len(text) <= LABEL_LENGTH:
        return text
    short_hash = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{text[: LABEL_LENGTH - _HASH_LENGTH - 1]} {short_hash}"


def scrubbed(words: str, secrets: Iterable[str]) -> str:
    """What the API said, without secrets, and without what looks like one or like a person's."""
    for secret in secrets:
        words = words.replace(secret, "(secret)") if secret else words
    words = _OPAQUE.sub("(opaque)", words)
    return _PHONE.sub("(number)", _E_MAIL.sub("(address)", words))[:_WORDS_LENGTH]
