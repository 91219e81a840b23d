"""Which entries of the configuration file match an institution or a sync."""

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from nexhealth_exporter.model import Institution, IntegrationType

if TYPE_CHECKING:
    from nexhealth_exporter.rules.schema import Match

_GLOB = re.compile(r"[*?\[]")


class Matching(Protocol):
    """An entry with a match."""

    @property
    def match(self) -> "Match":
        """The institutions or syncs that it is about."""


T = TypeVar("T", bound=Matching)


class Matcher(msgspec.Struct, frozen=True):
    """A match, compiled."""

    match: "Match"
    subdomain: re.Pattern[str] | None

    @classmethod
    def of(cls, match: "Match") -> "Matcher":
        """Compile a match."""
        glob = match.subdomain
        return cls(match, None if glob is None else re.compile(fnmatch.translate(glob)))

    def institution(self, institution: Institution) -> bool:
        """Whether the institution matches, as far as conditions on institutions go."""
        if self.subdomain is not None and not self.subdomain.match(institution.subdomain):
            return False
        return self.match.id is None or institution.id in self.match.id

    def sync(self, emr: str, integration_type: IntegrationType) -> bool:
        """Whether such a sync matches, as far as conditions on syncs go."""
        match = self.match
        if match.emr is not None and match.emr.casefold() != emr.casefold():
            return False
        return match.integration_type in {None, integration_type}


Candidate = tuple[int, Matcher, T]
"""An entry with its position in the file and its compiled match."""


@dataclass(frozen=True)
class Entries(Generic[T]):
    """Entries in file order, with fast lookup even if there is one for each institution."""

    items: tuple[T, ...] = ()
    _by_subdomain: Mapping[str, list[Candidate[T]]] = field(init=False, repr=False, compare=False)
    _others: list[Candidate[T]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the entries that name exactly one subdomain."""
        named: dict[str, list[Candidate[T]]] = defaultdict(list)
        others: list[Candidate[T]] = []
        for position, item in enumerate(self.items):
            subdomain = item.match.subdomain
            is_one = subdomain is not None and not _GLOB.search(subdomain)
            bucket = named[subdomain] if is_one and subdomain else others
            bucket.append((position, Matcher.of(item.match), item))
        object.__setattr__(self, "_by_subdomain", dict(named))
        object.__setattr__(self, "_others", others)

    def of_institution(self, institution: Institution) -> Iterator[Candidate[T]]:
        """The entries that match the institution, in file order, with their positions."""
        own = self._by_subdomain.get(institution.subdomain, [])
        candidates: Iterable[Candidate[T]] = (
            sorted([*own, *self._others], key=lambda candidate: candidate[0])
            if own
            else self._others
        )
        return (c for c in candidates if c[1].institution(institution))
