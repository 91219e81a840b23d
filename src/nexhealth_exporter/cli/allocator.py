"""The C library's allocator, told to give memory back to the system, if it is one that can be told.

By itself glibc keeps what lies between other things, and once a large buffer was freed it lays the
next ones, up to that size, among what stays.
"""

import ctypes
from collections.abc import Callable
from functools import cache

LARGE = 256 * 1024
"""Bytes. Answers and pages are larger, what stays is smaller."""

_M_MMAP_THRESHOLD = -3
"""A parameter of mallopt(3)."""


def keep_large_buffers_apart() -> None:
    """Have large buffers lie in pages of their own, which go back when they are freed."""
    _function("mallopt")(_M_MMAP_THRESHOLD, LARGE)


def give_back() -> None:
    """Give back what is free, wherever it lies. It takes less than a millisecond."""
    _function("malloc_trim")(0)


@cache
def _function(name: str) -> Callable[..., object]:
    found: Callable[..., object] = getattr(ctypes.CDLL(None), name, _nothing)
    return found


def _nothing(*_: int) -> None:
    """In place of what this C library does not have."""
