"""What all tests and the real binaries that they start can rely on."""

import gc
import os
from collections.abc import Iterator
from importlib.resources import files
from operator import itemgetter

import pytest
from hypothesis import settings

# A machine may be busy: no example fails because it took long.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Alertmanager and amtool, written in Go, take time zones from the system, which may have none.
os.environ.setdefault("ZONEINFO", str(files("tzdata") / "zoneinfo"))

# How wide and how colourful commands print does not depend on who runs the tests.
for name in ("COLUMNS", "LINES", "FORCE_COLOR"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """What a command has frozen in this process is garbage like any other after its test.

    Hypothesis asks the collector who still needs its sources of chance.
    """
    yield
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread what runs real programs, and mostly waits, evenly among what only computes."""
    waiting = [item for item in items if item.get_closest_marker("e2e")]
    computing = [item for item in items if not item.get_closest_marker("e2e")]
    spread = sorted([*_spread(waiting), *_spread(computing)], key=itemgetter(0))
    items[:] = [item for _, item in spread]


def _spread(items: list[pytest.Item]) -> Iterator[tuple[float, pytest.Item]]:
    """Each with its place between 0 and 1."""
    return ((number / len(items), item) for number, item in enumerate(items))
