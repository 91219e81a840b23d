"""The shape of the configuration file."""

import zoneinfo
from collections.abc import Iterator
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from nexhealth_exporter.document import Table, did_you_mean
from nexhealth_exporter.expectation.allowance import Bounds
from nexhealth_exporter.expectation.schedule import DateRange, Schedule, Window
from nexhealth_exporter.expectation.zone import is_zone
from nexhealth_exporter.model import IntegrationType, Operation, Severity
from nexhealth_exporter.rules import parsing

LONGEST_LABEL = 200

AllowanceKey = tuple[IntegrationType, Operation, Severity]
"""The key of one allowance."""


def _timezone(name: str) -> str:
    if not is_zone(name):
        known = zoneinfo.available_timezones()
        remedy = did_you_mean(name, known, "write one such as America/Chicago")
        raise ValueError(f'has "{name}", which is not a time zone; {remedy}')
    return name


def _label(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_LABEL:
        raise ValueError(f"must be a short name of at most {LONGEST_LABEL} characters")
    return text.strip()


def _integration_type(value: object) -> IntegrationType:
    try:
        return IntegrationType(str(value))
    except ValueError:
        hint = "; the API's onprem is server here" if value == "onprem" else ""
        raise ValueError(f"must be server, cloud or unknown{hint}") from None


def _ids(value: object) -> frozenset[int]:
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(type(number) is int for number in numbers):
        raise ValueError("must be a number or a list of numbers, such as 12 or [12, 15]")
    return frozenset(numbers)


def _each_day_once(value: object, read: ValidatorFunctionWrapHandler) -> "Hours":
    hours: Hours = read(value)
    # Counted as written: keys that mean the same days, such as mon and Mon, become one when read.
    written = value if isinstance(value, dict) else hours
    named = [day for days in written for day in parsing.weekdays(days)]
    again = sorted({day for day in named if named.count(day) > 1})
    if again:
        raise ValueError(f"names {parsing.WEEKDAYS[again[0]]} twice; name each day once")
    return hours


def _any(days: list[DateRange]) -> list[DateRange]:
    if not days:
        raise ValueError('is empty; name a day, such as ["2026-11-27"]')
    return days


def _named(schedules: "dict[str, ScheduleTable]") -> "dict[str, ScheduleTable]":
    try:
        for name in schedules:
            _label(name)
    except ValueError as error:
        raise ValueError(f"has an invalid name; it {error}") from None
    return schedules


Days = Annotated[tuple[int, ...], PlainValidator(parsing.weekdays)]
Windows = Annotated[tuple[Window, ...], PlainValidator(parsing.windows)]
Hours = dict[Days, Windows]
Dates = Annotated[DateRange, PlainValidator(parsing.dates)]
AllowanceBounds = Annotated[Bounds, PlainValidator(parsing.bounds)]


class ScheduleTable(Table):
    """The hours of offices that keep the same ones."""

    example = '{hours: {mon-fri: "08:00-17:00"}}'

    hours: Annotated[Hours, WrapValidator(_each_day_once)] = Field(
        examples=['{mon-fri: "08:00-17:00"}']
    )
    lunch: Windows = ()
    holidays: Annotated[tuple[str, ...], PlainValidator(parsing.holiday_codes)] | None = None
    closures: list[Dates] = Field(default=[], examples=['["2026-12-24..2027-01-02"]'])

    def schedule(self, name: str) -> Schedule:
        """The schedule as the core uses it."""
        pairs = [(day, w) for days, windows in self.hours.items() for w in windows for day in days]
        # Lunch is the same every day, and so is its part after midnight.
        lunch = parsing.split_at_midnight((0, window) for window in self.lunch)
        return Schedule(
            name=name,
            windows=parsing.split_at_midnight(pairs),
            lunch=tuple(sorted({window for day in lunch for window in day})),
            holidays=self.holidays,
            closures=tuple(self.closures),
        )


class Match(Table):
    """Which institutions or syncs an entry is about; all given conditions must hold."""

    example = '{subdomain: "smile-*"}, or {} for all'

    subdomain: str | None = Field(None, examples=['"smile-*"'])
    id: Annotated[frozenset[int], PlainValidator(_ids)] | None = None
    emr: str | None = Field(None, examples=["Dentrix"])
    integration_type: Annotated[IntegrationType, PlainValidator(_integration_type)] | None = None

    @property
    def asks_for_sync(self) -> bool:
        """Whether it has conditions on a sync, and not only on the institution."""
        return self.emr is not None or self.integration_type is not None

    def __str__(self) -> str:
        """The conditions as text."""
        ids = None if self.id is None else ", ".join(map(str, sorted(self.id)))
        given = {
            "subdomain": self.subdomain,
            "id": ids,
            "emr": self.emr,
            "integration_type": self.integration_type,
        }
        return ", ".join(f"{key} {value}" for key, value in given.items() if value is not None)


class SeverityAllowances(Table):
    """Allowances for both severities of one direction."""

    example = "{warning: 45m, critical: 2h..5h}"

    warning: AllowanceBounds | None = None
    critical: AllowanceBounds | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "SeverityAllowances":
        if self.warning and self.critical and not self.warning.precedes(self.critical):
            raise ValueError("lets critical come before warning; make critical the longer one")
        return self

    def of(self, severity: Severity) -> Bounds | None:
        """The allowance of that severity, if given."""
        return self.warning if severity is Severity.WARNING else self.critical


class TypeAllowances(SeverityAllowances):
    """Allowances of one integration type: for both directions, or for one."""

    read: SeverityAllowances | None = None
    write: SeverityAllowances | None = None

    @model_validator(mode="after")
    def _each_in_order(self) -> "TypeAllowances":
        given = {(operation, severity): span for operation, severity, span in self.leaves()}
        for operation in Operation:
            warning = given.get((operation, Severity.WARNING))
            critical = given.get((operation, Severity.CRITICAL))
            if warning and critical and not warning.precedes(critical):
                raise ValueError(
                    f"lets critical come before warning for {operation.value}; "
                    "make critical the longer one"
                )
        return self

    def leaves(self) -> Iterator[tuple[Operation, Severity, Bounds]]:
        """Every given allowance; that of one direction takes precedence over that of both."""
        for operation, own in ((Operation.READ, self.read), (Operation.WRITE, self.write)):
            for severity in Severity:
                span = (own.of(severity) if own else None) or self.of(severity)
                if span:
                    yield operation, severity, span


class Allowance(Table):
    """How much unexpected lag is tolerated, per integration type."""

    example = "{server: {warning: 45m, critical: 4h}}"

    server: TypeAllowances | None = None
    cloud: TypeAllowances | None = None
    unknown: TypeAllowances | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Allowance":
        if not any(True for _ in self.leaves()):
            raise ValueError("is empty; write one such as {server: {warning: 45m}}")
        return self

    def leaves(self) -> Iterator[tuple[AllowanceKey, Bounds]]:
        """Every given allowance with its key."""
        given = {
            IntegrationType.SERVER: self.server,
            IntegrationType.CLOUD: self.cloud,
            IntegrationType.UNKNOWN: self.unknown,
        }
        for integration_type, directions in given.items():
            for operation, severity, span in directions.leaves() if directions else ():
                yield (integration_type, operation, severity), span


class Entry(Table):
    """What holds for the syncs or institutions that match."""

    example = "{match: {}, schedule: standard}"

    match: Match = Field(examples=["{} for all"])
    schedule: str | None = Field(None, examples=["standard"])
    timezone: Annotated[str, AfterValidator(_timezone)] | None = Field(
        None, examples=["America/Chicago"]
    )
    group: Annotated[str, AfterValidator(_label)] | None = Field(None, examples=["east-team"])
    monitored: bool | None = None
    allowance: Allowance | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Entry":
        keys = [key for key in type(self).model_fields if key != "match"]
        if all(getattr(self, key) is None for key in keys):
            raise ValueError(f"has no effect; give it one of {', '.join(keys)}")
        if self.monitored is not None and self.match.asks_for_sync:
            raise ValueError(
                "decides monitored by emr or integration_type, which are not known before an "
                "institution is polled; match it by subdomain or id"
            )
        return self


class ClosureEntry(Table):
    """Days on which the syncs that match rest."""

    example = '{match: {}, days: ["2026-11-27"]}'

    match: Match = Field(examples=["{} for all"])
    days: Annotated[list[Dates], AfterValidator(_any)] = Field(examples=['["2026-11-27"]'])


class ConfigFile(Table):
    """The whole file."""

    schedules: Annotated[dict[str, ScheduleTable], AfterValidator(_named)] = Field(
        default={}, examples=['{standard: {hours: {mon-fri: "08:00-17:00"}}}']
    )
    institutions: list[Entry] = Field(default=[], examples=["[{match: {}, schedule: standard}]"])
    closures: list[ClosureEntry] = Field(
        default=[], examples=['[{match: {}, days: ["2026-11-27"]}]']
    )
