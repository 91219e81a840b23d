"""What a simulated NexHealth knows about an office: its institution, locations and syncs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Direction = Literal["read", "write"]
BOTH: tuple[Direction, Direction] = ("read", "write")


class Marks(NamedTuple):
    """When a sync last read and last asked for writes (POSIX seconds); None is never."""

    read: float | None
    write: float | None


class Behaviour(Protocol):
    """How the marks of a sync move: a pure function of time."""

    def marks_at(self, t: float) -> Marks:
        """The newest marks not later than the instant `t`."""


@dataclass(frozen=True, slots=True)
class Emr:
    """A health record system; `type` is the API's word, None if the API leaves it out."""

    id: int
    name: str
    display_name: str
    type: str | None


DENTRIX = Emr(11, "dentrix", "Dentrix", "onprem")
OPEN_DENTAL = Emr(12, "opendental", "Open Dental", "onprem")
EAGLESOFT = Emr(13, "eaglesoft", "Eaglesoft", "onprem")
DENTRIX_ASCEND = Emr(21, "dentrixascend", "Dentrix Ascend", "cloud")
CURVE = Emr(22, "curve2", "Curve Hero", "cloud")
DENTICON = Emr(23, "denticon", "Denticon", "cloud")
CLOUD9 = Emr(24, "cloud9", "Cloud9", "cloud")
ATHENA = Emr(25, "athena", "athenahealth", "cloud")
UNKNOWN_EMR = Emr(31, "localsystem", "Local System", None)

SERVER_EMRS = (DENTRIX, OPEN_DENTAL, EAGLESOFT)
CLOUD_EMRS = (DENTRIX_ASCEND, CURVE, DENTICON, CLOUD9, ATHENA)


@dataclass(frozen=True, slots=True)
class Location:
    """One site of an institution; a `timezone` of None is reported as null."""

    id: int
    name: str
    timezone: str | None = "America/New_York"
    country: str = "US"
    state: str = "NY"
    inactive: bool = False


@dataclass(frozen=True)
class Sync:
    """One health record database of an institution and how its marks move."""

    name: str
    emr: Emr
    behaviour: Behaviour
    locations: tuple[int, ...] = ()
    """Ids of the locations it serves."""


@dataclass(frozen=True)
class Office:
    """An institution as NexHealth knows it."""

    id: int
    subdomain: str
    name: str
    syncs: tuple[Sync, ...] = ()
    locations: tuple[Location, ...] = ()
    country: str = "US"


@dataclass(frozen=True, slots=True)
class Steady:
    """Marks that are always fresh: they move every so many seconds, around the clock."""

    read_every: float = 300.0
    write_every: float = 120.0

    def marks_at(self, t: float) -> Marks:
        """Multiples of the two periods."""
        return Marks(t - t % self.read_every, t - t % self.write_every)


@dataclass(frozen=True, slots=True)
class Still:
    """Marks that never move; None is a mark that does not exist."""

    read: float | None = None
    write: float | None = None

    def marks_at(self, t: float) -> Marks:
        """The same marks at any time after they were made."""
        return Marks(
            self.read if self.read is not None and self.read <= t else None,
            self.write if self.write is not None and self.write <= t else None,
        )


def plain_office(
    number: int,
    *,
    subdomain: str | None = None,
    emr: Emr | None = None,
    behaviour: Behaviour | None = None,
    timezone: str | None = "America/New_York",
) -> Office:
    """An office with one location and one sync, for tests that do not care about its habits."""
    chosen = emr or (DENTRIX, DENTRIX_ASCEND)[number % 2]
    location = Location(id=number * 10 + 1, name="Main", timezone=timezone)
    sync = Sync(f"{chosen.display_name} #{number}", chosen, behaviour or Steady(), (location.id,))
    return Office(
        id=number,
        subdomain=subdomain or f"office-{number}",
        name=f"Office {number}",
        syncs=(sync,),
        locations=(location,),
    )


def plain_offices(count: int) -> Sequence[Office]:
    """`office-1` to `office-<count>`, odd ones cloud-based, all of them fresh."""
    return [plain_office(number) for number in range(1, count + 1)]
