"""The fleet in figures."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nexhealth_exporter.fleet import Fleet, Round
from nexhealth_exporter.model import IntegrationType, Reason
from nexhealth_exporter.report.row import SEVERITY_OF, Condition, Row


@dataclass(frozen=True, slots=True)
class Summary:
    """How many syncs are in which condition, and the state of polling.

    `failing` counts institutions by why their latest poll failed, `institutions` those that are
    watched, `syncs` the known syncs.
    """

    conditions: Mapping[Condition, int]
    by_type: Mapping[IntegrationType, Mapping[Condition, int]]
    resting: Mapping[Reason, int]
    failing: Mapping[str, int]
    incidents: Mapping[IntegrationType, float]
    institutions: int
    syncs: int
    held_back: int
    round: Round | None

    @property
    def overdue(self) -> int:
        """Syncs that are overdue at either severity."""
        return sum(self.conditions.get(condition, 0) for condition in SEVERITY_OF)


def summarise(fleet: Fleet, rows: Iterable[Row]) -> Summary:
    """The figures of all rows of that fleet."""
    conditions: Counter[Condition] = Counter()
    by_type: dict[IntegrationType, Counter[Condition]] = {t: Counter() for t in IntegrationType}
    resting: Counter[Reason] = Counter()
    syncs = held_back = 0
    for row in rows:
        conditions[row.condition] += 1
        if row.sync is None:
            continue
        syncs += 1
        held_back += row.is_held_back
        by_type[row.sync.integration_type][row.condition] += 1
        if row.condition is Condition.RESTING and row.now_piece and row.now_piece.reason:
            resting[row.now_piece.reason] += 1
    return Summary(
        conditions=conditions,
        by_type={t: found for t, found in by_type.items() if found},
        resting=dict(resting.most_common()),
        failing=dict(Counter(s.failure for s in fleet if s.failure is not None).most_common()),
        incidents=fleet.incidents,
        institutions=len(fleet.standings),
        syncs=syncs,
        held_back=held_back,
        round=fleet.round,
    )
