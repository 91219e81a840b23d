"""The name of each sync, unique within its institution and the same for every replica."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from nexhealth_exporter.nexhealth.text import clean, shortened


class Source(msgspec.Struct, frozen=True, gc=False):
    """What a sync is named after: its source name, and the lowest id of its locations."""

    name: str
    lowest_location: int | None


def names(sources: Sequence[Source]) -> list[str]:
    """A name for each source of one institution, in the order of the answer.

    Equal source names get ` #<lowest location id>`; those still equal then get ` ~2`, ` ~3`.
    """
    plain = [clean(source.name) or "unnamed" for source in sources]
    short = [shortened(name) for name in plain]
    if len(set(short)) == len(short):
        return short
    times = Counter(plain)
    numbered = [
        f"{name} #{source.lowest_location}"
        if times[name] > 1 and source.lowest_location is not None
        else name
        for name, source in zip(plain, sources, strict=True)
    ]
    taken: set[str] = set()
    latest: Counter[str] = Counter()
    return [_free(name, taken, latest) for name in numbered]


def _free(wanted: str, taken: set[str], latest: Counter[str]) -> str:
    """The first of `wanted`, `wanted ~2`, `wanted ~3` that is free; it is taken now."""
    name = shortened(wanted)
    number = latest[wanted] or 1
    while name in taken:
        number += 1
        name = shortened(f"{wanted} ~{number}")
    latest[wanted] = number
    taken.add(name)
    return name
