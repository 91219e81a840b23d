"""What a sync is, and what one poll of an institution brought: plain frozen values.

All instants are POSIX seconds (UTC, float); all durations are seconds.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec


class IntegrationType(StrEnum):
    """Where the health record system runs; decides how downtime is judged."""

    SERVER = "server"
    CLOUD = "cloud"
    UNKNOWN = "unknown"


class Operation(StrEnum):
    """The two directions of a sync, each with a mark of its own."""

    READ = "read"
    WRITE = "write"


WAYS = (Operation.READ, Operation.WRITE)
"""The directions in the order of every pair."""


class Severity(StrEnum):
    """How loud an overdue sync is: a ticket or a page."""

    WARNING = "warning"
    CRITICAL = "critical"


class Reason(StrEnum):
    """Why a sync is not expected to refresh, in the order in which the first that fits is told."""

    CLOSURE = "closure"
    HOLIDAY = "holiday"
    WEEKEND = "weekend"
    LUNCH = "lunch"
    CLOSED = "closed"
    LEARNED = "learned"


class Source(StrEnum):
    """Where the expectation of a sync comes from."""

    CONFIGURED = "configured"
    LEARNED = "learned"
    DEFAULT = "default"


class State(StrEnum):
    """Whether a sync is judged at all."""

    ACTIVE = "active"
    ABANDONED = "abandoned"
    INACTIVE = "inactive"


# Whole fleets of these are made for one answer: as Structs they are made and compared in C, and
# the garbage collector need not look at them, which would hold the event loop.
class Location(msgspec.Struct, frozen=True, gc=False):
    """One office site. Its address and contacts are left in the parser on purpose."""

    id: int
    timezone: str | None = None
    country: str | None = None
    state: str | None = None
    inactive: bool = False


class Institution(msgspec.Struct, frozen=True, gc=False):
    """A customer of NexHealth; `subdomain` is its key everywhere."""

    subdomain: str
    id: int | None = None
    name: str = ""
    country: str | None = None
    locations: tuple[Location, ...] = ()


class Sync(msgspec.Struct, frozen=True, gc=False):
    """One health record database that is kept in sync, as the API last told.

    `name` is unique within its institution. A mark is None when the API gave none that
    could be read; `up` is the API's own colour (green True, red False, anything else None).
    """

    name: str
    integration_type: IntegrationType | None
    emr: str = ""
    read_at: float | None = None
    write_at: float | None = None
    read_up: bool | None = None
    write_up: bool | None = None
    locations: tuple[Location, ...] = ()
    """The locations this sync serves: those of the inventory, else as its own entry lists them,
    without a time zone."""

    @property
    def inactive(self) -> bool:
        """True when it has locations and none of them is in use."""
        return bool(self.locations) and all(location.inactive for location in self.locations)


SyncFacts = tuple[str, IntegrationType]
"""What the operator's rules may ask of a sync: its product and its integration type."""


class Poll(msgspec.Struct, frozen=True, gc=False):
    """One attempt to learn the state of an institution's syncs.

    `at` is when the answer came. On failure `syncs` is None and `failure` is the
    reason's label; the last known answer stays in force.
    """

    subdomain: str
    at: float
    syncs: tuple[Sync, ...] | None = None
    failure: str | None = None


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the API told of an institution and its syncs last, and when."""

    institution: Institution
    at: float
    syncs: tuple[Sync, ...]


class Inventory(msgspec.Struct, frozen=True, gc=False):
    """Every institution the key can see, by subdomain."""

    institutions: Mapping[str, Institution] = msgspec.field(default_factory=dict)

    def __iter__(self) -> Iterator[Institution]:
        return iter(self.institutions.values())

    def __len__(self) -> int:
        return len(self.institutions)
