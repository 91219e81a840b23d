"""How much an answer may hold: each value becomes an object that is much larger than its bytes."""

from collections.abc import Iterator, Sequence

from nexhealth_exporter.errors import TooLarge

MOST_VALUES = 5_000_000
MOST_ENTRIES = 200_000
"""An entry of the API has some 25 values, so that neither limit is met before the other."""

MOST_ENTRY_BYTES = 1024 * 1024
"""An entry is decoded in one go, so a larger one is rejected."""

Bytes = bytes | bytearray

_MARKS = (b",", b"[", b"{")
"""What stands before or after each value."""

_COUNTED = 1024 * 1024
"""Bytes that are searched before the count is compared."""


def holds_more(json: Bytes, values: int, marks: Sequence[bytes] = _MARKS) -> bool:
    """Whether it may hold more than so many values, by the marks around them, also in strings."""
    return len(json) > values and any(number > values for number in _counts(json, marks))


def checked_values(json: Bytes) -> Iterator[None]:
    """Count the values, with a break after each MiB. Raises TooLarge for too many."""
    for number in _counts(json, _MARKS):
        if number > MOST_VALUES:
            raise too_many_values()
        yield


def too_many_values() -> TooLarge:
    """The error for more than `MOST_VALUES` values."""
    return TooLarge(f"The answer holds more than {MOST_VALUES} values.")


def _counts(json: Bytes, marks: Sequence[bytes]) -> Iterator[int]:
    """How many marks there are up to the end of each stretch."""
    number = 0
    for start in range(0, len(json), _COUNTED):
        number += sum(json.count(mark, start, start + _COUNTED) for mark in marks)
        yield number
