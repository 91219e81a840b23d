"""The page about reliability names tests and commands that exist, and a test in every row."""

import re

from tests.named import ROOT, existing, named

PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
ROWS = re.findall(r"^\| (?!---|What )(.*) \|$", PAGE.partition("## Figures")[0], re.MULTILINE)


def test_every_test_that_the_page_about_reliability_names_exists() -> None:
    assert named(PAGE) <= existing(), sorted(named(PAGE) - existing())


def test_every_protection_has_a_test() -> None:
    assert len(ROWS) > 25
    for row in ROWS:
        wrong, protection, tests = row.split(" | ")
        assert wrong, row
        assert protection, row
        assert named(tests), row


def test_every_command_of_the_page_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"`make ([\w-]+)", PAGE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"`python -m ([\w.]+)", PAGE):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
