"""A sheet to draw on: SVG with the colours of the exporter's pages, by day and by night."""

import math
from html import escape

STYLE = """
svg { --ground: #fff; --ink: #17212b; --soft: #52606d; --line: #dbe1e7; --open: #d3e6f4;
  --floor: #f6f7f9; --critical: #b3261e; --warning: #d97706; --plain: #5b8fd0; --mark: #00856f;
  --unknown: #8d62c4; }
@media (prefers-color-scheme: dark) { svg { --ground: #171f27; --ink: #e8edf2; --soft: #a3b1be;
  --line: #3a4752; --open: #24455c; --floor: #202a33; --critical: #ff7366; --warning: #f59a23;
  --plain: #6d9de8; --mark: #35b99f; --unknown: #b18ae6; } }
text { font: 13px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink); }
.soft { fill: var(--soft); } .small { font-size: 12px; } .strong { font-weight: 650; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
"""


class Paper:
    """Shapes in the order in which they were drawn; colours are the names in `STYLE`."""

    def __init__(self, width: int, height: int, says: str) -> None:
        self._size = (width, height)
        self._says = says
        self._shapes: list[str] = []

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, **more: str
    ) -> None:
        """A rectangle; `more` are attributes of SVG."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self._shapes.append(f"<rect {place} {_fill(colour)}{_attributes(more)}/>")

    def line(self, points: list[tuple[float, float]], colour: str, **more: str) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in _bends(points))
        style = f'fill="none" style="stroke: var(--{colour})"'
        self._shapes.append(f'<polyline points="{path}" {style}{_attributes(more)}/>')

    def dot(self, x: float, y: float, radius: float, colour: str, **more: str) -> None:
        """A disc."""
        place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
        self._shapes.append(f"<circle {place} {_fill(colour)}{_attributes(more)}/>")

    def text(self, x: float, y: float, words: str, *kinds: str, colour: str = "") -> None:
        """Words on a base line; `kinds` are classes of `STYLE`."""
        tint = f' style="fill: var(--{colour})"' if colour else ""
        names = f' class="{" ".join(kinds)}"' if kinds else ""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}"{names}{tint}>{escape(words, quote=False)}</text>'
        )

    def svg(self) -> str:
        """The whole sheet."""
        width, height = self._size
        head = (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        )
        ground = f'<rect width="{width}" height="{height}" rx="8" {_fill("ground")}/>'
        title = f"<title>{escape(self._says, quote=False)}</title>"
        return "\n".join(
            [head, title, f"<style>{STYLE}</style>", ground, *self._shapes, "</svg>\n"]
        )


def _bends(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points without those on a straight way between their neighbours."""
    kept = points[:2]
    for x, y in points[2:]:
        (before_x, before_y), (last_x, last_y) = kept[-2:]
        turn = (last_x - before_x) * (y - last_y) - (last_y - before_y) * (x - last_x)
        if math.isclose(turn, 0, abs_tol=1e-6):
            kept.pop()
        kept.append((x, y))
    return kept


def _fill(colour: str) -> str:
    return f'style="fill: var(--{colour})"'


def _attributes(more: dict[str, str]) -> str:
    return "".join(f' {key.replace("_", "-")}="{value}"' for key, value in more.items())
