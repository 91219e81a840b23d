"""Makes the C library's allocator return memory to the system; does nothing outside glibc.

By default glibc keeps free memory that lies between used blocks, and once a large buffer was freed,
it places buffers up to that size among long-lived blocks.
"""

import ctypes
from collections.abc import Callable
from functools import cache

LARGE = 256 * 1024
"""Bytes. Answers and pages are larger, long-lived blocks are smaller."""

_M_MMAP_THRESHOLD = -3
"""A parameter of mallopt(3)."""


def keep_large_buffers_apart() -> None:
    """Allocate large buffers with mmap, so that they are returned as soon as they are freed."""
    _function("mallopt")(_M_MMAP_THRESHOLD, LARGE)


def give_back() -> None:
    """Return all free memory to the system. Takes less than a millisecond."""
    _function("malloc_trim")(0)


@cache
def _function(name: str) -> Callable[..., object]:
    found: Callable[..., object] = getattr(ctypes.CDLL(None), name, _nothing)
    return found


def _nothing(*_: int) -> None:
    """Stands in for a function that this C library lacks."""
