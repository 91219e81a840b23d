"""Offices with hours, and instants written as people say them."""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import (
    DAY,
    DEFAULT_HOURS,
    HOUR,
    Schedule,
    week_plan,
)
from nexhealth_exporter.model import IntegrationType, Source

ALWAYS_ON = Schedule(name="always-on", windows=(((0, DAY),),) * 7, holidays=())

Office = Callable[..., Expectation]


@pytest.fixture
def office() -> Office:
    def make(
        schedule: Schedule = DEFAULT_HOURS,
        zone: str = "America/New_York",
        kind: IntegrationType = IntegrationType.SERVER,
        holidays: tuple[str, ...] = ("US",),
        closures: tuple[tuple[date, date], ...] = (),
    ) -> Expectation:
        return Expectation(
            source=Source.CONFIGURED,
            schedule=schedule.name,
            timezone=zone,
            days=week_plan(schedule, kind),
            holidays=() if schedule.holidays == () else holidays,
            closures=closures,
        )

    return make


def at(text: str, zone: str = "America/New_York", fold: int = 0) -> float:
    """POSIX seconds of a local wall time such as "2026-03-06 17:00"."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return local.timestamp()


def hours(start: float, end: float, *, days: int = 7) -> Schedule:
    """The same hours on the first `days` days of the week."""
    window = ((int(start * HOUR), int(end * HOUR)),)
    return altered(DEFAULT_HOURS, name="own", windows=(window,) * days + ((),) * (7 - days))
