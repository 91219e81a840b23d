"""The table of what the API may do names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api-behaviour.md").read_text("utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    found = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) > 60
    assert named <= found, sorted(named - found)


def test_each_of_the_thirty_unknowns_has_its_row_and_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*`test_\w+`.*\|$", PAGE, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, 31))


def test_the_runbook_for_cloud_syncs_names_both_causes() -> None:
    told = (ROOT / "docs" / "runbooks" / "NexHealthCloudSyncOverdue.md").read_text("utf-8")
    assert "marks move only while somebody is logged in" in told
    assert "the office is closed today" in told
    assert "authenticate it" in told
    assert "Tokens are unique to each instance" in told
