"""What to do about an office: the next step, and commands ready to be pasted."""

import shlex
from datetime import date, timedelta

from nexhealth_exporter.expectation.zone import moment
from nexhealth_exporter.fleet import SyncStanding
from nexhealth_exporter.formatting import DAY, rfc3339, subdomain_glob, when
from nexhealth_exporter.model import IntegrationType, Operation, Severity
from nexhealth_exporter.report.row import FLUCTUATION, Condition, Row
from nexhealth_exporter.report.silence import looks_closed, stop_of, stretch
from nexhealth_exporter.report.story import DOING

_MOST_DAYS = 14
"""Days; a proposal to announce a longer closure would probably be a mistake."""


_TRY = {
    IntegrationType.SERVER: (
        "Check that the office's server is on and that NexHealth's services are still installed."
    ),
    IntegrationType.CLOUD: (
        "Ask the office to log in to the Chrome extension and the health record system."
    ),
    IntegrationType.UNKNOWN: "Find out where its system runs, then see the likely causes.",
}
_STEPS = {
    Condition.LATE: "Nothing yet. If it stays silent, a ticket follows.",
    Condition.NO_SYNC: "Ask NexHealth to install a sync, or exclude this institution.",
    Condition.FRESH: "Nothing to do.",
    Condition.RESTING: "Nothing to do.",
    Condition.ABANDONED: "Have the sync reinstalled, or exclude it if the office has left.",
    Condition.INACTIVE: "Nothing to do. Activate its locations at NexHealth if it is in use.",
}


def next_step(row: Row) -> str:
    """What somebody who looks at this row should do next, in a sentence or two."""
    if row.is_held_back:
        return (
            "Nothing for this office alone: a fleet incident is under way. "
            "Check NexHealth's status."
        )
    if row.condition is Condition.UNKNOWN:
        if row.is_blind:
            return "Find out why polls fail: the exporter's log names the reason."
        if row.sync is None:
            return "Wait for the next round of polls."
        missing = [op for op in Operation if row.sync.judgement(op).mark is None]
        first = missing[0] if len(missing) == 1 else "sync"
        return f"Wait for its first {first}; if none comes, ask NexHealth whether it is set up."
    if row.sync is None or not row.is_overdue:
        return _STEPS[row.condition]
    return _against_silence(row, row.sync)


def _against_silence(row: Row, sync: SyncStanding) -> str:
    if (working := still_working(row)) is not None:
        (silent,) = row.overdue_operations
        happened = "never began" if stop_of(sync, silent) is None else "stopped"
        return (
            f"{DOING[working].capitalize()} still works, so the connection to the office is fine: "
            f"ask NexHealth why {DOING[silent]} {happened}."
        )
    if looks_closed(row):
        ask = "Ask whether the office is closed. If so, announce it; if not, go through the causes."
    else:
        ask = _TRY[sync.integration_type]
    rest = stretch(sync.expectation, row.now)
    if rest.is_open or rest.end is None:
        return ask
    opening = when(rest.end, sync.expectation.timezone, row.now)
    return f"It is resting until {opening}: call then. {ask}"


def still_working(row: Row) -> Operation | None:
    """The direction that still moves while the other one is overdue; None if neither does."""
    if row.sync is None or not row.is_overdue:
        return None
    for operation in Operation:
        unexpected = row.sync.judgement(operation).unexpected(row.now)
        if operation not in row.overdue_operations and unexpected is not None:
            return operation if unexpected <= FLUCTUATION else None
    return None


def silence_command(row: Row, sync: SyncStanding) -> str:
    """The `amtool` command that silences this sync until it has had time to come back."""
    matchers = [
        _matcher("institution", row.standing.institution.subdomain),
        _matcher("sync", sync.sync.name),
    ]
    words = ["amtool", "silence", "add", f"--end={rfc3339(_back_by(row, sync))}"]
    # An office is open where one direction still works.
    comment = "office is closed" if still_working(row) is None else "NexHealth was asked"
    return shlex.join([*words, f"--comment={comment}", *matchers])


def closure_line(row: Row, sync: SyncStanding) -> str:
    """The entry for `closures:` in the configuration file that announces the missed days."""
    first, last = _days(row, sync)
    days = first.isoformat() if first == last else f"{first}..{last}"
    subdomain = subdomain_glob(row.standing.institution.subdomain)
    return f'- {{match: {{subdomain: {subdomain}}}, days: ["{days}"]}}'


def _matcher(label: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{label}="{escaped}"'


def _back_by(row: Row, sync: SyncStanding) -> float:
    """The next day's opening plus the warning allowance; a day from now if there is no opening.

    Without the allowance, the silence would end before the first sync of an office that reopens.
    """
    expectation, zone = sync.expectation, sync.expectation.timezone
    today = moment(row.now, zone).date()
    for piece in expectation.segments(row.now):
        if piece.is_open and moment(piece.start, zone).date() > today:
            allowance = sync.read.allowance[Severity.WARNING]
            return expectation.deadline(piece.start, allowance) or row.now + DAY
        if piece.start > row.now + 30 * DAY:
            break
    return row.now + DAY


def _days(row: Row, sync: SyncStanding) -> tuple[date, date]:
    """From the first missed day until today; for a sync that rests, its next open day."""
    zone = sync.expectation.timezone
    today = moment(row.now, zone).date()
    if not row.is_overdue:
        rest = stretch(sync.expectation, row.now)
        begins = row.now if rest.is_open or rest.end is None else rest.end
        return (moment(begins, zone).date(),) * 2
    stops = [s for op in row.overdue_operations if (s := stop_of(sync, op)) is not None]
    missed = [moment(s.opening if s.opening is not None else s.at, zone).date() for s in stops]
    first = max(min(missed, default=today), today - timedelta(days=_MOST_DAYS))
    return min(first, today), today
