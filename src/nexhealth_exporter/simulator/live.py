"""An office of a running simulator, whose marks a test can freeze."""

from collections.abc import Callable

from nexhealth_exporter.simulator.answers import Direction, Json, private, sync_entry
from nexhealth_exporter.simulator.offices import Marks, Office, Sync

_BOTH: tuple[Direction, Direction] = ("read", "write")


class LiveOffice:
    """An office whose marks can be frozen: an outage that lasts until `thaw`."""

    def __init__(self, office: Office, clock: Callable[[], float]) -> None:
        self.office = office
        self._clock = clock
        self._frozen: dict[tuple[str | None, Direction], float] = {}

    def freeze(
        self, *directions: Direction, at: float | None = None, sync: str | None = None
    ) -> None:
        """Stop the marks of these directions (none: both), from now or from the instant `at`.

        `sync` is the name of one sync; None means all of the institution.
        """
        for direction in directions or _BOTH:
            self._frozen[sync, direction] = self._clock() if at is None else at

    def thaw(self) -> None:
        """End the outage: marks are what they would be without it."""
        self._frozen.clear()

    def marks(self, sync: Sync, now: float) -> Marks:
        """The marks of one of its syncs as the API would report them now."""
        if not self._frozen:
            return sync.behaviour.marks_at(now)
        read, write = (self._until(sync, direction, now) for direction in _BOTH)
        return Marks(sync.behaviour.marks_at(read).read, sync.behaviour.marks_at(write).write)

    def _until(self, sync: Sync, direction: Direction, now: float) -> float:
        ends = (self._frozen.get((name, direction), now) for name in (None, sync.name))
        return min(now, *ends)

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
