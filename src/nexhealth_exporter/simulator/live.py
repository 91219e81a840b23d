"""An office of a running simulator, whose marks a test can freeze."""

from collections.abc import Callable

from nexhealth_exporter.simulator.answers import Json, private, sync_entry
from nexhealth_exporter.simulator.offices import BOTH, Direction, Marks, Office, Sync


class LiveOffice:
    """An office whose marks can be frozen: an outage that lasts until `thaw`."""

    def __init__(self, office: Office, clock: Callable[[], float]) -> None:
        self.office = office
        self._clock = clock
        self._frozen: dict[Direction, float] = {}

    def freeze(self, *directions: Direction, at: float | None = None) -> None:
        """Stop the marks of these directions (none: both), from now or from the instant `at`."""
        for direction in directions or BOTH:
            self._frozen[direction] = self._clock() if at is None else at

    def thaw(self) -> None:
        """End the outage: marks are what they would be without it."""
        self._frozen.clear()

    def marks(self, sync: Sync, now: float) -> Marks:
        """The marks of one of its syncs as the API would report them now."""
        if not self._frozen:
            return sync.behaviour.marks_at(now)
        read, write = (min(now, self._frozen.get(direction, now)) for direction in BOTH)
        return Marks(sync.behaviour.marks_at(read).read, sync.behaviour.marks_at(write).write)

    def entries(self, now: float, *, ehr: bool) -> list[Json]:
        """Its entries of `/sync_status`."""
        return [
            sync_entry(self.office, sync, self.marks(sync, now), now, ehr=ehr)
            for sync in self.office.syncs
        ]

    @property
    def private(self) -> set[str]:
        """Every invented address and contact of its locations."""
        return {text for place in self.office.locations for text in private(place).values()}
