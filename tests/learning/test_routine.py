"""What is skipped for most looks teaches nothing: the short way gives what the long one gives."""

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.incident import Incident
from nexhealth_exporter.expectation.learned import Learned, first_met
from nexhealth_exporter.expectation.looks import Look
from nexhealth_exporter.expectation.schedule import DAY, Span
from nexhealth_exporter.model import IntegrationType, Source

ZONE, START = "America/New_York", 1772460000.0

ALWAYS = Expectation(Source.CONFIGURED, "always", ZONE, ((Span(0, DAY, 1.0, None),),) * 7)


def after(
    record: Learned,
    marks: tuple[float | None, float | None],
    at: float,
    incidents: tuple[Incident, ...] = (),
) -> Learned:
    return record.after_look(
        Look(
            at=at,
            before=at - 300,
            marks=marks,
            kind=IntegrationType.SERVER,
            expectation=ALWAYS,
            directions=(ALWAYS, ALWAYS),
            critical_allowance=lambda _: 14400.0,
            is_skipped=lambda _: False,
            incidents=incidents,
            relearn_offset=700,
        )
    )


# Over the midnight of a Sunday, on which the oldest week is dropped.
@example(looks=[*[(60, 0, 0)] * 4, (75, 0, 0), (30, 10, 25)], start=9135)
@given(
    looks=st.lists(
        st.tuples(st.integers(1, 90), st.integers(-3, 45), st.integers(-3, 45)), max_size=40
    ),
    start=st.integers(0, 60 * 24 * 8),
)
def test_a_routine_look_leaves_the_record_that_the_whole_law_would_leave(
    looks: list[tuple[int, int, int]], start: int
) -> None:
    at = START + 60.0 * start
    record = replace(first_met(at, ZONE), made_on=0)
    for minutes, read_ago, write_ago in looks:
        at += 60.0 * minutes
        marks = (
            record.marks[0] if read_ago > 40 else at - 60.0 * read_ago,
            record.marks[1] if write_ago > 40 else at - 60.0 * write_ago,
        )
        whole = after(record, marks, at) if marks != record.marks else record
        routine = record.after_routine_look(marks, at, ZONE, 700)
        assert routine in {None, whole}
        record = whole


def test_most_looks_are_routine() -> None:
    at = START + 3600
    record = after(first_met(at, ZONE), (at, at), at)
    found = [record.after_routine_look((at + n, at), at + n, ZONE, 700) for n in range(0, 1500, 60)]
    assert None not in found
    assert record.after_routine_look((at + 1500, at), at + 1500, ZONE, 700) is None


def test_the_time_of_an_incident_within_a_rest_teaches_only_if_it_comes_again() -> None:
    hour = 3600.0
    begun = after(first_met(START, ZONE), (START, START), START)
    incident = Incident(START + 4 * hour, START + 6 * hour)

    back = START + 11 * hour
    whole, struck = (
        after(begun, (back, back), back, incidents).record for incidents in ((), (incident,))
    )

    assert whole.suspect == 0
    assert struck.silent | struck.suspect == whole.silent
    # It is told of later than it begins, and those that it has silenced come back for two hours.
    assert struck.suspect.bit_count() == 2 * (2.5 + 2 + 2) + 1


def test_a_mark_that_goes_back_ends_no_quiet_stretch() -> None:
    begun = after(first_met(START, ZONE), (START, START), START)
    now = START + 5400
    assert after(begun, (now, now), now).record.quiets != ((), ())

    back = after(begun, (START - 3600, START - 60), now)

    assert back.marks == (START - 3600, START - 60)
    assert back.record.quiets == ((), ())


def test_a_direction_that_goes_on_resting_ends_no_quiet_stretch() -> None:
    begun = after(first_met(START, ZONE), (START, START), START)
    now = START + 5400

    read, write = after(begun, (START, now), now).record.quiets

    assert (len(read), len(write)) == (0, 1)
