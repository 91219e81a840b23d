"""The exporter's own metrics, and in which format a client is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from nexhealth_exporter.errors import POLL_FAILURE_REASONS
from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.own import BUCKETS, ENDPOINTS, OwnMetrics
from tests.exposition.fleets import NOW
from tests.exposition.reading import ALL, families, samples


def read(own: OwnMetrics) -> dict[str, float]:
    """Samples without labels by name; with labels by name and label values."""
    found = samples(families(own.page(ALL, openmetrics=False).decode()))
    return {
        " ".join([name, *(value for _, value in sorted(labels))]): value
        for (name, labels), value in found.items()
        if name.startswith("nexhealth_") and "le" not in dict(labels)
    }


def test_what_nobody_has_told_has_no_sample() -> None:
    own = OwnMetrics("1.2.3", "0a1b2c")
    found = read(own)
    names = {name.split()[0] for name in found}
    assert names == {
        "nexhealth_poll_failures_total",
        "nexhealth_entries_rejected_total",
        "nexhealth_api_throttled_seconds_total",
        "nexhealth_api_request_duration_seconds_count",
        "nexhealth_api_request_duration_seconds_sum",
        "nexhealth_exporter_build_info",
    }
    assert {f"nexhealth_poll_failures_total {reason}" for reason in POLL_FAILURE_REASONS} <= set(
        found
    )
    assert {
        f"nexhealth_api_request_duration_seconds_count {endpoint}" for endpoint in ENDPOINTS
    } <= set(found)


def test_calls_are_counted_by_endpoint_and_code() -> None:
    own = OwnMetrics("1")
    own.called("sync_status", "200", 0.25)
    own.called("sync_status", "200", 0.5)
    own.called("sync_status", "none", 10.0)
    own.throttled(1.5)
    own.throttled(0.25)
    own.rejected(3)
    own.poll_failed("timeout")
    own.token_expires(NOW)
    found = read(own)
    assert found["nexhealth_api_requests_total 200 sync_status"] == 2
    assert found["nexhealth_api_requests_total none sync_status"] == 1
    assert found["nexhealth_api_request_duration_seconds_sum sync_status"] == 10.75
    assert found["nexhealth_api_throttled_seconds_total"] == 1.75
    assert found["nexhealth_entries_rejected_total"] == 3
    assert found["nexhealth_poll_failures_total timeout"] == 1
    assert found["nexhealth_poll_failures_total tls"] == 0
    assert found["nexhealth_api_token_expiry_timestamp_seconds"] == NOW


def test_an_unlimited_budget_has_no_sample() -> None:
    own = OwnMetrics("1")
    own.budgeted(30000)
    assert read(own)["nexhealth_api_calls_budget"] == 30000
    own.budgeted(0)
    assert "nexhealth_api_calls_budget" not in read(own)


def test_a_failed_reload_keeps_the_instant_of_the_last_good_one() -> None:
    own = OwnMetrics("1")
    own.reloaded(NOW)
    own.reload_failed()
    found = read(own)
    assert found["nexhealth_config_last_reload_successful"] == 0
    assert found["nexhealth_config_last_reload_success_timestamp_seconds"] == NOW


def test_state_and_shard() -> None:
    own = OwnMetrics("1")
    own.sharded(1, 3)
    own.state_usable(is_ok=False)
    own.state_saved(NOW)
    found = read(own)
    assert found["nexhealth_shard_info 1 3"] == 1
    assert found["nexhealth_state_ok"] == 0
    assert found["nexhealth_state_last_save_timestamp_seconds"] == NOW


DURATION = table.API_DURATION
CALLS = st.lists(
    st.tuples(
        st.sampled_from([*ENDPOINTS, 'odd "one"\\']), st.sampled_from(BUCKETS) | st.floats(0, 100)
    ),
    max_size=20,
)
ENDS = ("", "_bucket", "_sum", "_count")
NAMED = st.frozensets(st.sampled_from([DURATION.name + end for end in (*ENDS, "_max")]))


def lines_of_durations(text: str) -> list[tuple[str, float | str]]:
    """Numbers may be written in another way; all else must be the same, in the same order."""
    lines = [line.rpartition(" ") for line in text.splitlines() if DURATION.name in line]
    return [(head, end if head.startswith("#") else float(end)) for head, _, end in lines]


@pytest.mark.parametrize("openmetrics", [False, True])
@given(CALLS, NAMED)
def test_durations_are_told_as_prometheus_client_would(
    openmetrics: bool, calls: list[tuple[str, float]], names: frozenset[str]
) -> None:
    registry, own = CollectorRegistry(), OwnMetrics("1")
    theirs = Histogram(
        DURATION.name, DURATION.help, DURATION.labels, registry=registry, buckets=BUCKETS
    )
    for endpoint in ENDPOINTS:
        theirs.labels(endpoint)
    for endpoint, seconds in calls:
        theirs.labels(endpoint).observe(seconds)
        own.called(endpoint, "200", seconds)
    # Who asks for the metric by its own name means all of its samples.
    asked = names | {DURATION.name + end for end in ENDS} if DURATION.name in names else names
    wanted = registry.restricted_registry(asked) if names else registry
    generate = generate_openmetrics if openmetrics else generate_latest
    ours = own.page(names, openmetrics=openmetrics).decode()
    assert lines_of_durations(ours) == lines_of_durations(generate(wanted).decode())
