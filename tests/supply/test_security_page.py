"""What SECURITY.md promises is held by tests that exist."""

import re

from tests.named import ROOT, existing, named

PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
HEADING = "## What is promised, and the test that holds it\n"


def test_every_promise_names_a_test_that_exists() -> None:
    section = PAGE.split(HEADING)[1].split("\n## ")[0]
    cells = re.findall(r"(?m)^\| (.+) \| (.*)\|$", section)
    promises = {what: tests for what, tests in cells[2:] if not what.startswith("**")}
    assert len(promises) > 35
    assert not [what for what, tests in promises.items() if not re.search(r"`test_\w+`", tests)]
    assert named(PAGE) <= existing(), sorted(named(PAGE) - existing())
