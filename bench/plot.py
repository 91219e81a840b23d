"""A plot of growth as SVG: both axes by tens, so that what is linear is a straight line."""

import math
from collections.abc import Callable, Iterator, Sequence

from bench.growth import Size

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 60, 170, 20, 50
LINES: dict[str, tuple[str, Callable[[Size], float]]] = {
    "CPU of a round, ms": ("#1f6feb", lambda size: 1e3 * size.cpu),
    "memory, MiB": ("#bf5700", lambda size: size.memory / 1048576),
    "page, kB compressed": ("#1a7f37", lambda size: size.page / 1000),
}


def svg(sizes: Sequence[Size]) -> str:
    """The picture."""
    values = [max(of(size), 0.1) for _, of in LINES.values() for size in sizes]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = (math.log10(sizes[end].institutions) for end in (0, -1))

    def x(institutions: float) -> float:
        share = (math.log10(institutions) - first) / (last - first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        share = (math.log10(max(value, 0.1)) - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def drawn() -> Iterator[str]:
        for power in range(low, high + 1):
            at = y(10**power)
            yield f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="#8884"/>'
            yield f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{10**power:,g}</text>'
        for size in sizes:
            at = x(size.institutions)
            yield f'<path d="M{at} {TOP}V{HEIGHT - BOTTOM}" stroke="#8884"/>'
            label = f"{size.institutions:,}"
            yield f'<text x="{at}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{label}</text>'
        for name, (colour, of) in LINES.items():
            places = [(x(size.institutions), y(of(size))) for size in sizes]
            path = "L".join(f"{a} {b}" for a, b in places)
            yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            for a, b in places:
                yield f'<circle cx="{a}" cy="{b}" r="3.5" fill="{colour}"/>'
            a, b = places[-1]
            yield f'<text x="{a + 10}" y="{b + 4}" fill="{colour}">{name}</text>'
        middle = (LEFT + WIDTH - RIGHT) / 2
        yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">institutions</text>'

    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            '<g font-family="sans-serif" font-size="13" fill="#777">',
            "<title>CPU of a round, memory and page by the number of institutions</title>",
            *drawn(),
            "</g></svg>\n",
        ]
    )
