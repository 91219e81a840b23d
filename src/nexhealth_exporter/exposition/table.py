"""Every metric of this program: name, type, labels and HELP, in the order of the page."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from nexhealth_exporter.model import Operation

READ, WRITE = Operation.READ, Operation.WRITE


class Kind(StrEnum):
    """The types of metrics, as the exposition format spells them."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Family(msgspec.Struct, frozen=True):
    """One metric. `labels` are the names of its labels; `help` is one line of text."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE


_CACHED = " Answers are polled and cached; a scrape never calls the API."

_INSTITUTION = ("institution",)
_SYNC = ("institution", "sync", "integration_type")
_SEVERITY = (*_SYNC, "severity")

_UNEXPECTED = (
    " that expected downtime does not explain, computed when scraped: the expectation added up "
    "from the mark to now, at most 400 days back. It keeps growing while polls fail, so on its own "
    "it cannot tell a stopped sync from failing polls: see "
    "nexhealth_institution_last_poll_timestamp_seconds." + _CACHED
)
_DEADLINE = (
    " that could be read, or from when the sync was first seen. The sync is overdue when this is "
    "not later than nexhealth_institution_last_poll_timestamp_seconds. Absent if the allowance "
    "cannot run out within 400 days, for abandoned or inactive syncs, and for severity critical "
    "of a direction that is not in use." + _CACHED
)
_ALLOWANCE = " that is tolerated before the sync is overdue."
_UP = (
    " of sync_status: 1 green, 0 red, absent for any other word. "
    "The API turns red late; prefer the timestamps." + _CACHED
)

LAST_MARK: Mapping[Operation, Family] = {
    READ: Family(
        "nexhealth_sync_last_read_timestamp_seconds",
        "When the sync last read from the health record system: read_status_at of sync_status."
        + _CACHED,
        _SYNC,
    ),
    WRITE: Family(
        "nexhealth_sync_last_write_timestamp_seconds",
        "When the sync last asked for write commands, whether or not there were any: "
        "write_status_at of sync_status." + _CACHED,
        _SYNC,
    ),
}
LAG: Mapping[Operation, Family] = {
    READ: Family(
        "nexhealth_sync_read_lag_seconds",
        "Age of read_status_at, computed when scraped. It grows all night: "
        "prefer the unexpected lag." + _CACHED,
        _SYNC,
    ),
    WRITE: Family(
        "nexhealth_sync_write_lag_seconds",
        "Age of write_status_at, computed when scraped. It grows all night: "
        "prefer the unexpected lag." + _CACHED,
        _SYNC,
    ),
}
UNEXPECTED_LAG: Mapping[Operation, Family] = {
    READ: Family(
        "nexhealth_sync_read_unexpected_lag_seconds",
        "The part of the age of read_status_at" + _UNEXPECTED,
        _SYNC,
    ),
    WRITE: Family(
        "nexhealth_sync_write_unexpected_lag_seconds",
        "The part of the age of write_status_at" + _UNEXPECTED,
        _SYNC,
    ),
}
DEADLINE: Mapping[Operation, Family] = {
    READ: Family(
        "nexhealth_sync_read_deadline_timestamp_seconds",
        "When the allowance for reading runs out, counted from the latest read_status_at"
        + _DEADLINE,
        _SEVERITY,
    ),
    WRITE: Family(
        "nexhealth_sync_write_deadline_timestamp_seconds",
        "When the allowance for writing runs out, counted from the latest write_status_at"
        + _DEADLINE,
        _SEVERITY,
    ),
}
ALLOWANCE: Mapping[Operation, Family] = {
    READ: Family(
        "nexhealth_sync_read_allowance_seconds",
        "The unexpected lag of reading" + _ALLOWANCE,
        _SEVERITY,
    ),
    WRITE: Family(
        "nexhealth_sync_write_allowance_seconds",
        "The unexpected lag of writing" + _ALLOWANCE,
        _SEVERITY,
    ),
}
UP: Mapping[Operation, Family] = {
    READ: Family("nexhealth_sync_read_up", "The API's own read_status" + _UP, _SYNC),
    WRITE: Family("nexhealth_sync_write_up", "The API's own write_status" + _UP, _SYNC),
}
EXPECTED_UP = Family(
    "nexhealth_sync_expected_up",
    "1 while the sync is expected to refresh, by its schedule, its learned pattern or the default "
    "hours; computed when scraped.",
    _SYNC,
)
EXPECTED_DOWNTIME = Family(
    "nexhealth_sync_expected_downtime",
    "1 while the sync is expected to rest, with the reason; absent otherwise; "
    "computed when scraped.",
    (*_SYNC, "reason"),
)
SYNC_INFO = Family(
    "nexhealth_sync_info",
    "Always 1. emr is emr.display_name of sync_status, locations the number of its locations, "
    "expectation the source of the expected hours." + _CACHED,
    (
        *_SYNC,
        "institution_id",
        "emr",
        "timezone",
        "expectation",
        "schedule",
        "state",
        "locations",
    ),
)
INSTITUTION_INFO = Family(
    "nexhealth_institution_info",
    "Always 1. institution_id and institution_name are id and name of institutions; group comes "
    "from the configuration." + _CACHED,
    ("institution", "institution_id", "institution_name", "group"),
)
POLL_SUCCESS = Family(
    "nexhealth_institution_poll_success",
    "1 if the latest poll of the institution succeeded. Polls run at their own "
    "interval; a scrape never polls.",
    _INSTITUTION,
)
LAST_POLL = Family(
    "nexhealth_institution_last_poll_timestamp_seconds",
    "When the latest successful poll of the institution ended. In scope fleet, an answer about the "
    "whole fleet polls an institution known to have no sync by leaving it out. Polls run at their "
    "own interval; a scrape never polls.",
    _INSTITUTION,
)
INSTITUTION_SYNCS = Family(
    "nexhealth_institution_syncs",
    "How many syncs sync_status lists for the institution; 0 means that none is installed yet."
    + _CACHED,
    _INSTITUTION,
)

INSTITUTIONS = Family("nexhealth_institutions", "How many institutions this process watches.")
TIMEZONE_FALLBACK = Family(
    "nexhealth_timezone_fallback_institutions",
    "Number of institutions with a sync for which neither the configuration nor tz of its "
    "locations gives a usable time zone, so that the default zone is used.",
)
INCIDENT_START = Family(
    "nexhealth_fleet_incident_start_timestamp_seconds",
    "When so many syncs of one type had stopped that the cause is not an office; "
    "present while the incident lasts.",
    ("integration_type",),
)
NEXHEALTH_UP = Family(
    "nexhealth_up",
    "1 if in the latest round the exporter held a token and at least one call for sync_status "
    "succeeded, or there was nothing to poll; while a round lasts longer than its interval, in the "
    "latest interval. Rounds run at their own interval; a scrape makes no call.",
)
ROUND_DURATION = Family(
    "nexhealth_poll_round_duration_seconds", "How long the latest complete round of polls took."
)
LAST_ROUND = Family(
    "nexhealth_poll_last_round_timestamp_seconds",
    "When the latest complete round of polls ended.",
)

POLL_INTERVAL = Family(
    "nexhealth_poll_interval_seconds", "The interval between rounds that is actually kept."
)
POLL_FAILURES = Family(
    "nexhealth_poll_failures_total",
    "Polls that gave no usable answer, by reason.",
    ("reason",),
    Kind.COUNTER,
)
ENTRIES_REJECTED = Family(
    "nexhealth_entries_rejected_total",
    "Entries of the API's answers that were dropped as unreadable or too many; for where and why, "
    "see the log message: entries rejected.",
    kind=Kind.COUNTER,
)
API_REQUESTS = Family(
    "nexhealth_api_requests_total",
    "HTTP calls to the API that may be billed, retries included; code is the HTTP status, "
    "or none when no answer came.",
    ("endpoint", "code"),
    Kind.COUNTER,
)
API_DURATION = Family(
    "nexhealth_api_request_duration_seconds",
    "How long HTTP calls to the API took, without waits for the rate limiter.",
    ("endpoint",),
    Kind.HISTOGRAM,
)
API_THROTTLED = Family(
    "nexhealth_api_throttled_seconds_total",
    "Time that calls waited for the rate limiter or a Retry-After.",
    kind=Kind.COUNTER,
)
CALLS_PROJECTED = Family(
    "nexhealth_api_calls_projected", "API calls in 30 days at the present rate."
)
CALLS_BUDGET = Family(
    "nexhealth_api_calls_budget",
    "Budget of API calls in 30 days; absent if unlimited.",
)
TOKEN_EXPIRY = Family(
    "nexhealth_api_token_expiry_timestamp_seconds",
    "When the current token expires: exp of the JWT from authenticates.",
)
SHARD_INFO = Family(
    "nexhealth_shard_info",
    "Always 1. The number of this shard, and how many shards there are.",
    ("shard", "shards"),
)
STATE_OK = Family(
    "nexhealth_state_ok",
    "1 while the learned state can be read and written; absent without a state file.",
)
STATE_SAVED = Family(
    "nexhealth_state_last_save_timestamp_seconds", "When the learned state was last saved."
)
RELOAD_OK = Family(
    "nexhealth_config_last_reload_successful",
    "1 if the configuration was read successfully the last time; on 0, the one before stays in "
    "force.",
)
RELOADED = Family(
    "nexhealth_config_last_reload_success_timestamp_seconds",
    "When the configuration was last read successfully.",
)
BUILD_INFO = Family(
    "nexhealth_exporter_build_info",
    "Always 1. The version of this program, the revision it was built from, and Python's version.",
    ("version", "revision", "python_version"),
)

OF_FLEET = (
    *(family[operation] for family in (LAST_MARK, LAG, UNEXPECTED_LAG) for operation in Operation),
    *(family[operation] for family in (DEADLINE, ALLOWANCE, UP) for operation in Operation),
    EXPECTED_UP,
    EXPECTED_DOWNTIME,
    SYNC_INFO,
    INSTITUTION_INFO,
    POLL_SUCCESS,
    LAST_POLL,
    INSTITUTION_SYNCS,
    INSTITUTIONS,
    TIMEZONE_FALLBACK,
    INCIDENT_START,
    NEXHEALTH_UP,
    ROUND_DURATION,
    LAST_ROUND,
)
"""Metrics about the fleet."""

OWN = (
    POLL_INTERVAL,
    POLL_FAILURES,
    ENTRIES_REJECTED,
    API_REQUESTS,
    API_DURATION,
    API_THROTTLED,
    CALLS_PROJECTED,
    CALLS_BUDGET,
    TOKEN_EXPIRY,
    SHARD_INFO,
    STATE_OK,
    STATE_SAVED,
    RELOAD_OK,
    RELOADED,
    BUILD_INFO,
)
"""Metrics about the exporter itself."""

ALL = OF_FLEET + OWN
