"""Why a sync is in its condition: one plain sentence, in the office's local time."""

from typing import NamedTuple

from nexhealth_exporter.expectation.zone import moment
from nexhealth_exporter.fleet import SyncStanding
from nexhealth_exporter.formatting import DAY, clock, duration, is_near, weekday, when
from nexhealth_exporter.model import IntegrationType, Operation, Reason, Severity
from nexhealth_exporter.report.row import Condition, Row
from nexhealth_exporter.report.silence import (
    looks_closed,
    silent_too,
    stop_of,
    stretch,
    went_on,
)

REASONS = {
    Reason.CLOSURE: "announced closure",
    Reason.HOLIDAY: "holiday",
    Reason.WEEKEND: "weekend",
    Reason.LUNCH: "lunch break",
    Reason.CLOSED: "outside its hours",
    Reason.LEARNED: "usually quiet now",
}
KINDS = {
    IntegrationType.SERVER: "server-based",
    IntegrationType.CLOUD: "cloud-based",
    IntegrationType.UNKNOWN: "unknown type",
}
FAILURES = {
    "timeout": "NexHealth did not answer in time",
    "connection": "no connection to NexHealth",
    "tls": "no trusted connection to NexHealth",
    "auth": "NexHealth refused the key",
    "forbidden": "the key may not see this institution",
    "not_found": "NexHealth does not know this institution",
    "throttled": "NexHealth asked to slow down",
    "server_error": "NexHealth failed",
    "malformed": "the answer could not be read",
    "too_large": "the answer was too large",
    "other": "NexHealth gave an unexpected answer",
}
_DONE = {Operation.READ: "read", Operation.WRITE: "written"}
_DID = {Operation.READ: "read", Operation.WRITE: "wrote"}
DOING = {Operation.READ: "reading", Operation.WRITE: "writing"}
_BREAKS = {Reason.LUNCH: "the lunch break", Reason.LEARNED: "its usual pause"}


def why(row: Row) -> str:
    """Why the sync is in its condition, in a sentence."""
    if row.sync is None:
        return _empty(row)
    if row.is_overdue:
        return _overdue(row, row.sync)
    return {
        Condition.LATE: _late,
        Condition.UNKNOWN: _unknown,
        Condition.FRESH: _fresh,
        Condition.RESTING: _resting,
        Condition.ABANDONED: _abandoned,
        Condition.INACTIVE: _inactive,
    }[row.condition](row, row.sync)


def brief(row: Row) -> str:
    """The same in a few words, for a list that already shows condition, lag and deadline."""
    if row.sync is None or row.condition in {Condition.ABANDONED, Condition.INACTIVE}:
        return why(row)
    if row.is_overdue:
        return _silence(row, row.sync)
    if row.condition is Condition.RESTING:
        return _rest(row, row.sync)
    if row.condition is Condition.UNKNOWN:
        return _unknown(row, row.sync).removeprefix("Unknown: ")
    if row.condition is Condition.LATE:
        return "Quieter than usual, still within its allowance"
    return "Refreshing"


def _empty(row: Row) -> str:
    standing = row.standing
    if row.condition is Condition.NO_SYNC:
        return "No sync is installed at this institution yet."
    if standing.failure is not None:
        reason = FAILURES.get(standing.failure, standing.failure)
        return f"Unknown: no answer to show, {reason}."
    return "Unknown: NexHealth has not been asked about this institution yet."


def _overdue(row: Row, sync: SyncStanding) -> str:
    zone = sync.expectation.timezone
    text = f"Overdue since {when(row.due or row.now, zone, row.now)}"
    critical, then = row.deadline(Severity.CRITICAL), ""
    if critical is not None and row.severity is Severity.CRITICAL:
        text += f", critical since {when(critical, zone, row.now)}"
    elif critical is not None:
        then = f"; critical {_at(critical, zone, row.now)} if it stays so"
    closed = " Is the office closed?" if looks_closed(row) else ""
    return f"{text}: {_lowered(_silence(row, sync))}{then}.{closed}"


class _Silence(NamedTuple):
    """How a direction fell silent, in three parts: "stopped", "at 11:32", ", in the ..."."""

    verb: str
    at: str
    around: str = ""


def _silence(row: Row, sync: SyncStanding) -> str:
    """What fell silent and how, like "Reading stopped at 11:32, in the middle of open hours"."""
    said: dict[tuple[str, str], dict[str, list[str]]] = {}
    for operation in row.overdue_operations:
        how = _how(row, sync, operation)
        times = said.setdefault((how.verb, how.around), {})
        times.setdefault(how.at, []).append(DOING[operation])
    clauses = []
    for (verb, around), times in said.items():
        (first, directions), *others = times.items()
        clause = f"{' and '.join(directions)} {verb} {first}"
        clauses.append(clause + "".join(f" and {names[0]} {at}" for at, names in others) + around)
    text = "; ".join(clauses)
    if (other := went_on(row)) is not None:
        text += f", while {DOING[other]} went on"
    elif (other := silent_too(row)) is not None:
        text += f", and {DOING[other]} is silent too"
    return text[:1].upper() + text[1:]


def _how(row: Row, sync: SyncStanding, operation: Operation) -> _Silence:
    stop = stop_of(sync, operation)
    zone, now = sync.expectation.timezone, row.now
    if stop is None:
        first = when(sync.first_seen, zone, now)
        return _Silence("never began", f"since this sync was first seen {first}")
    if stop.opening is None:
        is_always_on = stretch(sync.expectation, stop.at).end is None
        around = (
            ", though it runs day and night" if is_always_on else ", in the middle of open hours"
        )
        return _Silence("stopped", _at(stop.at, zone, now), around)
    back = _BREAKS.get(stop.rest) if stop.rest else None
    if back is not None and _same_day(stop.at, stop.opening, zone):
        return _Silence("did not come back", f"after {back} {_at(stop.opening, zone, now)}")
    day = weekday(stop.opening, zone)
    if now - stop.opening > 6 * DAY:
        day = f"{day} {moment(stop.opening, zone).day} {moment(stop.opening, zone):%b}"
    return _Silence("did not come back", f"at opening on {day}, {clock(stop.opening, zone)}")


def _late(row: Row, sync: SyncStanding) -> str:
    unexpected = duration(row.unexpected or 0.0)
    text = f"Late but tolerated: silent for {unexpected} of the time in which it should refresh"
    if row.due is None:
        return f"{text}."
    return f"{text}; overdue {_at(row.due, sync.expectation.timezone, row.now)} if it stays so."


def _unknown(row: Row, sync: SyncStanding) -> str:
    failure = row.standing.failure
    missing = [op for op in Operation if sync.judgement(op).mark is None]
    if missing:
        did = " or ".join(_DID[operation] for operation in missing)
        text = f"Unknown: NexHealth does not say when it last {did}"
        if row.due is None:
            return f"{text}."
        return f"{text}; overdue {_at(row.due, sync.expectation.timezone, row.now)} if it stays so."
    seen = duration(row.now - (row.standing.last_success or row.now))
    reason = FAILURES.get(failure or "other", "the poll failed")
    return f"Unknown: last seen {seen} ago, {reason}."


def _fresh(row: Row, sync: SyncStanding) -> str:
    ages = [
        f"{_DONE[operation]} {duration(lag)} ago"
        for operation in Operation
        if (lag := sync.judgement(operation).lag(row.now)) is not None
    ]
    return f"Fresh: last {', '.join(ages)}."


def _resting(row: Row, sync: SyncStanding) -> str:
    return f"Resting as expected: {_lowered(_rest(row, sync))}."


def _rest(row: Row, sync: SyncStanding) -> str:
    """The kind of rest, since when and until when."""
    zone, now = sync.expectation.timezone, row.now
    reason = row.now_piece.reason if row.now_piece else None
    text = REASONS[reason].capitalize() if reason else "Closed"
    rest = stretch(sync.expectation, now)
    if rest.start is not None:
        text += f", since {when(rest.start, zone, now)}"
    if rest.end is not None:
        # Weekdays alone would read as if a rest of more than a week ended within that week.
        start = rest.start
        seen_from = now if start is None or is_near(start, rest.end) else start
        return f"{text}, back {_at(rest.end, zone, seen_from)}"
    return f"{text}, no hours to come"


def _abandoned(row: Row, sync: SyncStanding) -> str:
    oldest = max(judgement.anchor for judgement in sync.judgements)
    return f"Abandoned: silent for {duration(row.now - oldest)}, so it is no longer evaluated."


def _inactive(_row: Row, _sync: SyncStanding) -> str:
    return "Inactive: none of its locations is in use, so it is not evaluated."


def _at(instant: float, zone: str, now: float) -> str:
    said = when(instant, zone, now)
    return f"at {said}" if said[0].isdigit() and said[2] == ":" else f"on {said}"


def _same_day(one: float, other: float, zone: str) -> bool:
    return moment(one, zone).date() == moment(other, zone).date()


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
