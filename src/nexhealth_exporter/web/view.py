"""All that the HTTP server knows of the rest of the program: functions, called per request."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from nexhealth_exporter.fleet import Fleet

Verify = Callable[[str, str], Awaitable[bool]]
"""Whether a user (first) has that password (second). Raises webconfig.Crowded."""


class MetricsPage(Protocol):
    """What draws `/metrics`."""

    async def write(
        self, fleet: Fleet, now: float, *, openmetrics: bool, names: frozenset[str], gzip: bool
    ) -> Sequence[bytes]:
        """The page in chunks, compressed if `gzip`. `names` are those wanted; none means all."""


class Access(msgspec.Struct, frozen=True):
    """Who may ask, and the headers of every answer. `verify` None lets everybody in."""

    verify: Verify | None = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class View(msgspec.Struct, frozen=True):
    """`now` gives POSIX seconds. `unhealthy` and `unready` give the reason as a sentence, or None.

    `configuration` is the text of `/config`, secrets already masked. `external_url` is where
    people reach this server, without a slash at the end; empty if it is not set. `shard`, counted
    from 0, of `shards` is the part of the fleet that is watched here. `elsewhere` gives a clause
    that names the shard which would watch an institution, or "" if that is this one.
    """

    fleet: Callable[[], Fleet]
    now: Callable[[], float]
    unhealthy: Callable[[], str | None]
    unready: Callable[[], str | None]
    configuration: Callable[[], str]
    external_url: str = ""
    access: Callable[[], Access] = Access
    shard: int = 0
    shards: int = 1
    elsewhere: Callable[[str], str] = lambda _: ""
