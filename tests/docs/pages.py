"""The pages of the documentation, and the examples that stand in them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    path
    for pattern in ("*.md", "alerts/README.md", "helm/*/README.md", "docs/**/*.md")
    for path in sorted(ROOT.glob(pattern))
    if path.name != "CHANGELOG.md"
)

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A fenced block of a page; `language` is the word after the fence."""

    page: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.language} {self.number}"


def examples(*languages: str) -> list[Example]:
    """Every block in one of these languages; all of them if none is named."""
    return [
        Example(page, number, found[2], textwrap.dedent(found[3]))
        for page in PAGES
        for number, found in enumerate(_FENCED.finditer(page.read_text("utf-8")), 1)
        if not languages or found[2] in languages
    ]
