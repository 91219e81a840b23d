"""How the C library hands out memory: large buffers go back to the system when they are freed."""

import ctypes

LARGE = 256 * 1024
"""Bytes. Answers and pages are larger, what stays is smaller."""

_M_MMAP_THRESHOLD = -3
"""A parameter of mallopt(3)."""


def give_back_large_buffers() -> None:
    """Have the C library do so, if it is one that can be told.

    By itself glibc does it up to the size of the first such buffer that is freed; from then on
    buffers of that size lie among what stays, and the room that they leave is not given back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
