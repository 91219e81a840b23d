"""Rows, institutions and the fleet as JSON values: instants in RFC 3339, durations in seconds."""

from collections.abc import Mapping
from typing import Any

from nexhealth_exporter.expectation.judgement import Judgement
from nexhealth_exporter.fleet import Fleet, Round, Standing, SyncStanding
from nexhealth_exporter.formatting import rfc3339
from nexhealth_exporter.model import Severity
from nexhealth_exporter.report.pattern import sentence
from nexhealth_exporter.report.row import Row
from nexhealth_exporter.report.silence import looks_closed, stretch
from nexhealth_exporter.report.story import why
from nexhealth_exporter.report.summary import Summary

Facts = dict[str, Any]


def facts_of_row(row: Row) -> Facts:
    """Everything known about one sync; `sync` is null for an institution without one."""
    facts: Facts = {
        **facts_of_institution(row.standing),
        "sync": None,
        "integration_type": row.integration_type,
        "condition": row.condition,
        "overdue": row.severity,
        "overdue_since": _instant(row.due) if row.is_overdue else None,
        "next_deadline": None if row.is_overdue else _instant(row.due),
        "held_back_by_fleet_incident": row.is_held_back,
        "looks_closed": looks_closed(row),
        "why": why(row),
    }
    if row.sync is not None:
        facts |= _sync(row.sync) | {"expectation": _expectation(row, row.sync)}
        facts |= {
            "read": _direction(row.sync.read, row, row.sync.sync.read_up),
            "write": _direction(row.sync.write, row, row.sync.sync.write_up),
        }
    return facts


def facts_of_institution(standing: Standing) -> Facts:
    """The institution and its polls."""
    institution = standing.institution
    return {
        "institution": institution.subdomain,
        "institution_id": institution.id,
        "institution_name": institution.name,
        "group": standing.group,
        "last_poll": _instant(standing.last_poll),
        "last_successful_poll": _instant(standing.last_success),
        "poll_failure": standing.failure,
    }


def facts_of_fleet(fleet: Fleet, summary: Summary) -> Facts:
    """The fleet in figures."""
    return {
        "institutions": summary.institutions,
        "syncs": summary.syncs,
        "conditions": dict(summary.conditions),
        "resting": dict(summary.resting),
        "integration_types": {kind: dict(found) for kind, found in summary.by_type.items()},
        "poll_failures": dict(summary.failing),
        "fleet_incidents": {kind: rfc3339(at) for kind, at in fleet.incidents.items()},
        "round": _round(fleet.round),
    }


def _round(ended: Round | None) -> Facts | None:
    if ended is None:
        return None
    return {
        "ended": rfc3339(ended.ended_at),
        "duration_seconds": round(ended.duration, 3),
        "api_up": ended.is_up,
    }


def _sync(sync: SyncStanding) -> Facts:
    return {
        "sync": sync.sync.name,
        "emr": sync.sync.emr,
        "state": sync.state,
        "timezone": sync.expectation.timezone,
        "timezone_is_fallback": sync.hours.is_fallback,
        "locations": len(sync.sync.locations),
        "first_seen": rfc3339(sync.first_seen),
    }


def _expectation(row: Row, sync: SyncStanding) -> Facts:
    expectation, piece = sync.expectation, row.now_piece
    lasting = stretch(expectation, row.now)
    return {
        "source": expectation.source,
        "schedule": expectation.schedule,
        "learned": None if (found := sync.learned.pattern) is None else sentence(found),
        "value": piece.value if piece else None,
        "expected_up": piece.is_expected if piece else None,
        "reason": piece.reason if piece else None,
        "since": _instant(lasting.start),
        "next_change": _instant(lasting.end),
    }


def _direction(judgement: Judgement, row: Row, up: bool | None) -> Facts:  # noqa: FBT001 - the API's colour, shown as it is
    success = row.standing.last_success
    overdue = [s for s in Severity if judgement.is_overdue(s, success)]
    return {
        "mark": _instant(judgement.mark),
        "lag_seconds": _seconds(judgement.lag(row.now)),
        "unexpected_lag_seconds": _seconds(judgement.unexpected(row.now)),
        "allowance_seconds": _numbers(judgement.allowance),
        "deadline": {s: rfc3339(at) for s, at in judgement.deadline.items()},
        "overdue": overdue[-1] if overdue else None,
        "api_up": up,
    }


def _numbers(seconds: Mapping[Severity, float]) -> dict[str, float]:
    return {severity: round(value, 3) for severity, value in seconds.items()}


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _instant(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
