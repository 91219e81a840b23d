"""What a sync is, and what one poll of an institution brought: plain frozen values.

All instants are POSIX seconds (UTC, float); all durations are seconds.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec


class IntegrationType(StrEnum):
    """Where the health record system runs; this decides how downtime is judged."""

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
    """What an overdue sync causes: a ticket (warning) or a page (critical)."""

    WARNING = "warning"
    CRITICAL = "critical"


SEVERITIES = (Severity.WARNING, Severity.CRITICAL)
"""The severities in the order of every pair."""


class Reason(StrEnum):
    """Why a sync is not expected to refresh; if several apply, the first one is shown."""

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


# One answer makes whole fleets of these. Structs are made and compared in C, and with gc=False the
# garbage collector skips them, so that it does not block the event loop.
class Location(msgspec.Struct, frozen=True, gc=False):
    """One office site. Its address and contacts never leave the parser, on purpose."""

    id: int
    timezone: str | None = None
    inactive: bool = False


class Institution(msgspec.Struct, frozen=True, gc=False):
    """A customer of NexHealth; `subdomain` is its key everywhere."""

    subdomain: str
    id: int | None = None
    name: str = ""
    country: str | None = None
    locations: tuple[Location, ...] = ()


class Sync(msgspec.Struct, frozen=True, gc=False):
    """One health record database that is kept in sync, as the API last reported it.

    `name` is unique within its institution. A mark is the instant of the last read or write, None
    if the API gave none that could be read; `read_up` and `write_up` are the API's own colour
    (green True, red False, anything else None).
    """

    name: str
    integration_type: IntegrationType | None
    emr: str = ""
    read_at: float | None = None
    write_at: float | None = None
    read_up: bool | None = None
    write_up: bool | None = None
    locations: tuple[Location, ...] = ()
    """The locations that it serves, as the inventory has them; those that the inventory lacks, as
    the sync's own entry lists them, without a time zone."""
    likely_type: IntegrationType | None = None
    """Where such a product usually runs, for want of a type; None if the API gave one."""

    @property
    def inactive(self) -> bool:
        """True when it has locations and none of them is in use."""
        # Asked at every poll; a generator within `all` would take three times as long.
        for location in self.locations:
            if not location.inactive:
                return False
        return bool(self.locations)


SyncFacts = tuple[str, IntegrationType]
"""What a rule can match on: the product of a sync and its integration type."""


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
    """What the API last reported about an institution and its syncs, and when."""

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
