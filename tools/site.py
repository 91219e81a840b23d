"""Build the documentation as a site into `build/site/`: `make site`. Needs no network.

The pages link to each other as they do on a forge, so they are laid out as in the repository.
Zensical refuses links to pages and headings that are not there; this checks the rest: links to
files, pages that no menu leads to, and that no page loads anything from elsewhere.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES, SITE = ROOT / "build" / "pages", ROOT / "build" / "site"
SOURCES = ("*.md", "LICENSE", "alerts/README.md", "helm/*/README.md", "docs/**/*")

LOADING = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "form": ("action",),
}
"""Attributes and tags that make a browser fetch something without a click on a link."""
FOREIGN_IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*(?:https?:)?//""")


class Page(HTMLParser):
    """The links, the loads and the anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag names."""
        of = {key: value or "" for key, value in attrs}
        self.classes.update(of.get("class", "").split())
        self.anchors.update(filter(None, (of.get("id"), of.get("name"))))
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        for key in LOADING.get(tag, ()):
            if key in of:
                self.loads += [part.split()[0] for part in of[key].split(",") if part.split()]


def lay_out() -> None:
    """Copy the published pages to the folder that the site is built from."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for pattern in SOURCES:
        for path in filter(Path.is_file, ROOT.glob(pattern)):
            copy = PAGES / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def answer_as_on_a_forge() -> None:
    """Let runbooks answer under the names of their files as well, as links in alerts have them.

    A copy beside the page: its relative links lead to the same places.
    """
    for page in (PAGES / "docs/runbooks").glob("NexHealth*.md"):
        built = SITE / "docs/runbooks" / page.stem
        shutil.copytree(built, built.with_suffix(".md"))


def in_menu(entry: object) -> Iterator[str]:
    """The paths that a part of the menu leads to."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, list):
        for part in entry:
            yield from in_menu(part)
    elif isinstance(entry, dict):
        yield from in_menu(list(entry.values()))


def forgotten() -> Iterator[str]:
    """Pages that the menu lacks."""
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    listed = set(in_menu(config["nav"]))
    there = {str(path.relative_to(PAGES)) for path in PAGES.rglob("*.md")}
    for path in sorted(there - listed):
        yield f"mkdocs.yml: the menu does not lead to {path}"


def wrong() -> Iterator[str]:
    """The faults of the built site, one line each."""
    pages = {path: Page(path.read_text("utf-8")) for path in SITE.rglob("*.html")}
    for path, page in pages.items():
        faults = (*foreign(page), *dead(path, page, pages))
        yield from (f"{path.relative_to(SITE)}: {fault}" for fault in faults)
    for path in SITE.rglob("*.css"):
        if FOREIGN_IN_CSS.search(path.read_text("utf-8")):
            yield f"{path.relative_to(SITE)}: loads from elsewhere"


def foreign(page: Page) -> Iterator[str]:
    """What the page would load from other hosts."""
    if "mermaid" in page.classes:
        yield "a diagram whose drawing program is loaded from elsewhere"
    for load in page.loads:
        parts = urlsplit(load)
        if parts.netloc or parts.scheme not in {"", "data"}:
            yield f"loads {load}"


def dead(path: Path, page: Page, pages: Mapping[Path, Page]) -> Iterator[str]:
    """Broken links within the site."""
    for link in (*page.links, *page.loads):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        base = SITE if parts.path.startswith("/") else path.parent
        target = (base / unquote(parts.path).lstrip("/")) if parts.path else path
        target = (target / "index.html" if target.is_dir() else target).resolve()
        if not target.is_file():
            yield f"{link} leads nowhere"
        # The theme's own script answers to what begins with `__`.
        elif (
            target in pages
            and not parts.fragment.startswith("__")
            and parts.fragment not in {"", *pages[target].anchors}
        ):
            yield f"{link} leads to no heading"


def main() -> int:
    """Build and check; 0 when all is well."""
    lay_out()
    zensical = Path(sys.executable).with_name("zensical")
    command = (zensical, "build", "--strict", "--clean")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        return done.returncode
    answer_as_on_a_forge()
    faults = [*forgotten(), *wrong()]
    print(*faults, sep="\n", end="\n" if faults else "")
    if not faults:
        number = sum(1 for _ in SITE.rglob("*.html"))
        print(f"{number} pages; to view them: python3 -m http.server -d build/site 8000")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
