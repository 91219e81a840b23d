"""HTML as a tree, read by the standard library; a page that is not well formed fails the test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})


@dataclass
class Element:
    """An element; `children` are elements and texts in their order."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text within, white space made single."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in {"script", "style"}:
                yield from child._texts()  # noqa: SLF001 - of the same class

    def all(self, tag: str = "", **attributes: str) -> list["Element"]:
        """Descendants of that tag with these attributes; `class_` is one of its classes."""
        return [e for e in self.walk() if e.tag == (tag or e.tag) and e.fits(attributes)]

    def one(self, tag: str = "", **attributes: str) -> "Element":
        """The only such descendant."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    def walk(self) -> Iterator["Element"]:
        """Every descendant."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def fits(self, wanted: dict[str, str]) -> bool:
        """Whether it has these attributes."""
        for name, value in wanted.items():
            if name == "class_":
                if value not in (self.attributes.get("class") or "").split():
                    return False
            elif self.attributes.get(name.replace("_", "-")) != value:
                return False
        return True


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute stands twice in {tag}: {attrs}"
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(text: str) -> Element:
    """The document; every element must be closed by its own end tag."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert [element.tag for element in reader.open] == ["document"]
    return reader.open[0]


def table(page: Element) -> list[dict[str, str]]:
    """The list of syncs: each row by the names of its columns."""
    return [
        {
            cell.attributes["data-name"] or "": cell.text
            for cell in (*row.all("td"), *row.all("th"))
            if "data-name" in cell.attributes
        }
        for body in page.all("tbody")
        for row in body.all("tr")
    ]
