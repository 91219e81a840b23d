"""What the poller needs from the API client and from the metrics."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from nexhealth_exporter.errors import PollError
from nexhealth_exporter.model import Institution, Inventory, Sync
from nexhealth_exporter.plan import Plan


class Api(Protocol):
    """The API client; each call raises a leaf of `PollError`."""

    @property
    def held_token(self) -> bool:
        """Whether an unexpired token is at hand."""

    @property
    def calls_sent(self) -> int:
        """How many calls were sent so far: all that may be billed."""

    @property
    def token_life(self) -> float:
        """How long (seconds) a token serves before it is replaced."""

    @property
    def patience(self) -> float:
        """How long (seconds) one question may take, retries and pauses included."""

    @property
    def unlisted(self) -> Sequence[PollError]:
        """What failed of the latest inventory, which is incomplete then."""

    def recall(self, inventory: Inventory) -> None:
        """Take over what was known before a restart, for inventories that are incomplete."""

    async def inventory(self) -> Inventory:
        """Ask for every institution the key can see."""

    async def syncs(self, institution: Institution) -> tuple[Sync, ...]:
        """Ask for the syncs of one institution."""

    async def fleet(self, inventory: Inventory) -> Mapping[str, tuple[Sync, ...]]:
        """Ask for the syncs of every institution in one call; by subdomain.

        Its values may be decoded only when they are looked up.
        """


class Meter(Protocol):
    """What the poller reports."""

    def poll_failed(self, reason: str) -> None:
        """One poll failed for this reason."""

    def planned(self, plan: Plan) -> None:
        """Rounds now follow this plan."""
