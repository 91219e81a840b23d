"""Clocks, zones and types that were wrong for a while, and are put right."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from nexhealth_exporter.model import IntegrationType, Inventory, Source
from tests.learning.offices import (
    DAY,
    FIRST,
    SELDOM,
    ZONE,
    Office,
    always,
    at,
    lived,
    never,
    weekdays,
    weeks,
)


@pytest.mark.parametrize("ahead", [20 * DAY, 365 * DAY])
def test_a_clock_that_is_ahead_for_a_while_takes_nothing_that_was_learned(ahead: float) -> None:
    smiles = lived(28, weekdays(8, 17))
    known = smiles.pattern
    monday = weeks(4)
    for now in (at(monday, 9 + number / 6) for number in range(30)):
        smiles.read_at = smiles.write_at = now
        smiles.look(now + ahead)
    assert smiles.pattern.weeks >= known.weeks

    # What is new is learned as before.
    smiles.live(monday + timedelta(days=1), 27, weekdays(10, 19))
    assert smiles.sync.expectation.source is Source.LEARNED
    tuesday = weeks(8) + timedelta(days=1)
    assert [smiles.expects(tuesday, hour) > 0.5 for hour in (9, 11)] == [False, True]


@pytest.mark.parametrize("ahead", [20 * DAY, 365 * DAY])
def test_a_sync_that_was_met_by_a_clock_that_was_ahead_is_learned_in_time(ahead: float) -> None:
    smiles = Office()
    for now in (at(FIRST, 9), at(FIRST, 9.2)):
        smiles.read_at = smiles.write_at = now
        smiles.look(now + ahead)
    smiles.live(FIRST + timedelta(days=1), 27, weekdays(8, 17))

    assert smiles.sync.first_seen < at(FIRST + timedelta(days=2))
    assert smiles.sync.expectation.source is Source.LEARNED


def by_nexhealth(smiles: Office) -> None:
    smiles.located("America/Los_Angeles")


def by_configuration(smiles: Office) -> None:
    smiles.ruled("institutions: [{match: {}, timezone: America/Los_Angeles}]")


def by_configuration_at_a_restart(smiles: Office) -> None:
    smiles.ruled("institutions: [{match: {}, timezone: America/Los_Angeles}]")
    smiles.restarted()


def by_nexhealth_while_it_was_not_watched(smiles: Office) -> None:
    smiles.fleet = smiles.fleet.watching(Inventory(), smiles.policy)
    smiles.located("America/Los_Angeles")


@pytest.mark.parametrize(
    "corrected",
    [
        by_nexhealth,
        by_configuration,
        by_configuration_at_a_restart,
        by_nexhealth_while_it_was_not_watched,
    ],
)
def test_hours_stay_learned_when_the_zone_of_an_office_is_corrected(
    corrected: Callable[[Office], None],
) -> None:
    smiles = lived(42, weekdays(11, 20))
    corrected(smiles)
    smiles.live(weeks(6), 21, weekdays(11, 20), step=SELDOM)

    assert smiles.sync.expectation.timezone == "America/Los_Angeles"
    assert smiles.sync.expectation.source is Source.LEARNED
    hours = [smiles.expects(weeks(9), hour) for hour in (10, 12, 19, 21)]
    assert hours == [0, 1, 1, 0]
    assert smiles.alerts == []


def test_a_zone_that_is_wrong_for_a_while_takes_nothing_that_was_learned() -> None:
    smiles = lived(42, weekdays(8, 17))
    week = smiles.pattern.week
    for zone in ("Pacific/Honolulu", "Asia/Kolkata", "Nowhere", ZONE.key):
        smiles.located(zone)
    assert smiles.pattern.week == week
    smiles.live(weeks(6), 7, weekdays(8, 17))
    assert smiles.alerts == []


def test_an_office_that_changes_to_a_browser_is_not_expected_at_night() -> None:
    smiles = lived(42, always)
    smiles.kind = IntegrationType.CLOUD
    smiles.live(weeks(6), 28, weekdays(8, 17))

    assert smiles.alerts == []
    assert smiles.sync.expectation.source is Source.LEARNED


def test_a_type_that_was_not_known_takes_nothing_that_was_learned() -> None:
    smiles = lived(42, weekdays(7, 16), kind=IntegrationType.UNKNOWN)
    smiles.kind = IntegrationType.SERVER
    smiles.live(weeks(6), 1, weekdays(7, 16))

    assert smiles.sync.expectation.source is Source.LEARNED


def test_an_outage_goes_on_when_the_type_changes() -> None:
    smiles = lived(42, weekdays(8, 17))
    smiles.kind = IntegrationType.CLOUD
    smiles.live(weeks(6), 4, never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]
    assert smiles.sync.first_seen == at(FIRST)


def test_a_mark_that_stays_in_the_future_keeps_no_hours_for_ever() -> None:
    smiles = lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.read_at = at(weeks(200))
    smiles.live(weeks(6), 42, weekdays(8, 20), never)
    assert smiles.severity() == "warning"
    assert smiles.expects(weeks(12), 19) == 1
