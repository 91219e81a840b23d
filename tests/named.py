"""Tests that a page of the documentation names, and those that there are."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


def named(page: str) -> set[str]:
    """The tests that the page names."""
    return set(re.findall(r"`(test_\w+)`", page))


@cache
def existing() -> frozenset[str]:
    """Every test there is."""
    return frozenset(
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    )
