"""A lock: two tasks that are started at once must not install at the same time."""

from __future__ import annotations  # as in install.py

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def alone(script: str, where: str) -> Iterator[None]:
    """Hold the lock of `script`, a file; while another process holds it, say so and wait.

    The lock is on the script itself, which is there before anything is made and which `make clean`
    leaves. The kernel releases it however its holder ends, so that no lock is ever stale. Children
    that are started with `close_fds=False` hold it as well: an installer that outlives its parent
    still installs.
    """
    # Some network file systems lock only what may be written.
    mode = "r+b" if os.access(script, os.W_OK) else "rb"
    with open(script, mode) as file:  # noqa: PTH123 - as `__file__` gives it
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - takes no keyword
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another make to finish installing {where}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
