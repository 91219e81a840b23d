"""The table of what the API may do names tests that exist."""

import re

from tests.named import ROOT, existing, named

PAGE = (ROOT / "docs" / "api-behaviour.md").read_text("utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    assert len(named(PAGE)) > 60
    assert named(PAGE) <= existing(), sorted(named(PAGE) - existing())


def test_each_of_the_thirty_unknowns_has_its_row_and_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*`test_\w+`.*\|$", PAGE, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, 31))


def test_the_runbook_for_cloud_syncs_names_both_causes() -> None:
    told = (ROOT / "docs" / "runbooks" / "NexHealthCloudSyncOverdue.md").read_text("utf-8")
    assert "marks move only while somebody is logged in" in told
    assert "the office is closed today" in told
    assert "authenticate it" in told
    assert "Tokens are unique to each instance" in told
