"""A mapping of many standings, of which a few change at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from nexhealth_exporter.fleet.standing import Standing

PART = 64
"""Institutions that are copied when one of them changes: copying all would not scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Standings(Mapping[str, Standing]):
    """Standings by subdomain, in the order in which they were given: a persistent mapping.

    Old and new versions share those `parts` in which nothing has changed; `numbers` has the part of
    each institution, which never changes.
    """

    parts: Sequence[dict[str, Standing]] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, standings: Iterable[Standing]) -> "Standings":
        """These standings, at most one per institution."""
        named = [(standing.institution.subdomain, standing) for standing in standings]
        parts = [dict(named[first : first + PART]) for first in range(0, len(named), PART)]
        return cls(parts, {name: number for number, part in enumerate(parts) for name in part})

    def after(self, changed: Iterable[Standing]) -> "Standings":
        """The same with these standings replaced. Raises KeyError for a new institution."""
        parts = list(self.parts)
        for standing in changed:
            name = standing.institution.subdomain
            number = self.numbers[name]
            if parts[number] is self.parts[number]:
                parts[number] = parts[number].copy()
            parts[number][name] = standing
        return Standings(parts, self.numbers)

    def each(self) -> Iterator[Standing]:
        """All standings; faster than `values()`, which looks up each of them."""
        return chain.from_iterable(part.values() for part in self.parts)

    def __getitem__(self, subdomain: str) -> Standing:
        return self.parts[self.numbers[subdomain]][subdomain]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.parts)

    def __len__(self) -> int:
        return len(self.numbers)
