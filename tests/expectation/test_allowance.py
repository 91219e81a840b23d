"""How much silence is tolerated, whatever a sync's own cadence asks for."""

from hypothesis import given
from hypothesis import strategies as st

from nexhealth_exporter.expectation.allowance import Room, allowances
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.model import IntegrationType, Operation, Severity, Source

FACTORS = st.floats(0, 5)
SECONDS = st.floats(0, 86400)


@given(
    room=st.builds(Room, FACTORS, FACTORS, SECONDS, SECONDS, st.booleans()),
    kind=st.sampled_from(IntegrationType),
)
def test_no_cadence_asks_for_less_than_0_7_or_more_than_twice_the_usual(
    room: Room, kind: IntegrationType
) -> None:
    usual = tuning_of(kind).usual
    found = allowances(kind, Operation.READ, Source.LEARNED, {}, room)

    for severity in Severity:
        assert 0.7 * usual[severity] <= found[severity] <= 2 * usual[severity]
    assert found[Severity.WARNING] <= found[Severity.CRITICAL]
