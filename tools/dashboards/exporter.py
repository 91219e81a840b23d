"""The exporter itself: whether it sees, how fast it is, and what it costs."""

from dashboards import queries as q
from dashboards.board import dashboard, rows
from dashboards.panels import (
    CRITICAL,
    FRESH,
    PLAIN,
    UNKNOWN,
    WARNING,
    Json,
    lines,
    query,
    stat,
    steps,
    table,
)

PER = "[$__rate_interval]"
BETWEEN_POLLS = "5m"
"""The least that a rate of calls covers: a fleet is polled by one call every five minutes, and
$__rate_interval alone would fall between two of them."""
FINE = {0: ("no", CRITICAL), 1: ("yes", FRESH), 2: ("not kept", PLAIN)}


def own(metric: str, *more: str) -> str:
    """A metric of the exporter, by instance."""
    return f"nexhealth_{metric}{{{','.join((q.SCOPE, *more))}}}"


def ours(metric: str) -> str:
    """A metric that every target of Prometheus has, of the exporters alone.

    *All* chooses every job there is. One that is down has no build info of its own just now.
    """
    build = f"last_over_time({own('exporter_build_info')}[1h])"
    return f"{metric} and on (job, instance) {build}"


def _yes(title: str, conclusion: str, worst: str) -> tuple[int, Json]:
    return 4, stat(title, conclusion, worst, PLAIN, meanings=FINE)


def _stats() -> list[tuple[int, Json]]:
    polled = own("institution_last_poll_timestamp_seconds")
    # Without a sync they are asked once an hour, when the fleet is asked in one call.
    seldom = f"max by (institution) ({own('institution_syncs')}) == 0"
    asked = f"max by (institution) ({polled}) unless on (institution) ({seldom})"
    oldest = f"time() - min({asked})"
    share = f"sum({own('api_calls_projected')}) / max({own('api_calls_budget')})"
    expiry = f"min({own('api_token_expiry_timestamp_seconds')}) - time()"
    return [
        _yes(
            "The API answers",
            "Whether the latest round held a token and got at least one answer. 'No' makes every "
            "office look silent: fix this first.",
            f"min({own('up')})",
        ),
        (
            4,
            stat(
                "Oldest answer",
                "Age of the answer of the institution with syncs that was polled longest ago. "
                "Older than three intervals: its polls fail; see the failures below.",
                oldest,
                PLAIN,
                unit="dtdurations",
                defaults={
                    "decimals": 1,
                    "thresholds": steps((None, FRESH), (1800, WARNING), (7200, CRITICAL)),
                },
            ),
        ),
        (
            4,
            stat(
                "Calls, of the budget",
                "Calls in 30 days at the present rate, against the budget. Above 100 %: poll less "
                "often, or by fleet. If several keys have a job each, choose one.",
                share,
                PLAIN,
                unit="percentunit",
                untold=("no budget", PLAIN),
                defaults={
                    "thresholds": steps((None, FRESH), (0.9, WARNING), (1, CRITICAL)),
                },
            ),
        ),
        (
            4,
            stat(
                "Token lives for",
                "It is renewed well before its end. Negative: the API gave no new one.",
                expiry,
                PLAIN,
                unit="dtdurations",
                defaults={"decimals": 1, "thresholds": steps((None, CRITICAL), (0, FRESH))},
            ),
        ),
        _yes(
            "Learned state is safe",
            "Whether learned patterns can be read and written. 'No': they will be lost with the "
            "process. 'Not kept': this exporter has none.",
            f"min({own('state_ok')}) or 2 * group({own('institutions')})",
        ),
        _yes(
            "Configuration in force",
            "Whether the latest configuration could be used. 'No': the one before is in force; "
            "the log says what is wrong.",
            f"min({own('config_last_reload_successful')})",
        ),
    ]


def _rounds() -> Json:
    return lines(
        "Rounds",
        "How long a round of polls takes, and the interval actually kept. When the two meet, "
        "rounds no longer fit: allow more calls, poll less often, or poll in scope fleet.",
        [
            query(own("poll_round_duration_seconds"), "{{instance}}: a round"),
            query(own("poll_interval_seconds"), "{{instance}}: interval"),
            query(
                f"time() - {own('poll_last_round_timestamp_seconds')}", "{{instance}}: ended ago"
            ),
        ],
        unit="s",
        defaults={"min": 0},
    )


def _calls() -> Json:
    calls = f"sum by (endpoint, code) (rate({own('api_requests_total')}{PER}))"
    return lines(
        "API calls, by code",
        "Every call that may be billed, retries included. Codes other than 200: 401 and 403 the "
        "key, 429 the rate limit, 5xx and 'none' the API or the network.",
        [query(calls, "{{endpoint}}: {{code}}")],
        unit="reqps",
        interval=BETWEEN_POLLS,
        stacked=True,
        defaults={"min": 0},
    )


def _latency() -> Json:
    buckets = f"sum by (le, endpoint) (rate({own('api_request_duration_seconds_bucket')}{PER}))"
    return lines(
        "API latency",
        "Half of the calls, and all but 1 %, took at most this long. A rise of one endpoint is the "
        "vendor's; of all of them, look at the network.",
        [
            query(f"histogram_quantile({quantile}, {buckets})", f"{{{{endpoint}}}}: {name}")
            for quantile, name in ((0.5, "half"), (0.99, "99 %"))
        ],
        unit="s",
        interval=BETWEEN_POLLS,
        defaults={"min": 0},
    )


def _throttled() -> Json:
    return lines(
        "Waiting for the rate limit",
        "Share of the time in which calls waited for the limiter or a Retry-After; if several "
        "wait at once, only the first counts. Steadily high: the limits are too tight for the "
        "fleet.",
        [query(f"rate({own('api_throttled_seconds_total')}{PER})", "{{instance}}")],
        unit="percentunit",
        interval=BETWEEN_POLLS,
        defaults={"min": 0},
    )


def _failures() -> Json:
    failed = f"sum by (reason) (rate({own('poll_failures_total')}{PER}))"
    rejected = f"sum(rate({own('entries_rejected_total')}{PER}))"
    return lines(
        "Failures, by reason",
        "Polls that gave no usable answer, and entries that could not be read, for which the log "
        "says where and why. One reason that rises is the diagnosis; its runbook is that of "
        "NexHealthPollsFailing.",
        [query(failed, "{{reason}}"), query(rejected, "entries rejected")],
        unit="cps",
        interval=BETWEEN_POLLS,
        stacked=True,
        defaults={"min": 0},
    )


def _blind() -> Json:
    success = f"max by (institution) ({own('institution_poll_success')})"
    return stat(
        "Institutions we are blind to",
        "Institutions whose latest poll failed. Their syncs are shown as they were last known.",
        q.count(f"{success} == 0"),
        UNKNOWN,
        alarming=True,
    )


def _scrapes() -> Json:
    return lines(
        "Scrapes",
        "How long Prometheus takes to read the page. Above half the scrape timeout: raise "
        "the timeout. Shards make each page smaller.",
        [query(ours(f"scrape_duration_seconds{{{q.SCOPE}}}"), "{{instance}}")],
        unit="s",
        defaults={"min": 0},
    )


def _page() -> Json:
    return lines(
        "Size of the page",
        "Samples in a scrape. It grows with the fleet; a jump without new offices means that "
        "labels change too often.",
        [query(ours(f"scrape_samples_scraped{{{q.SCOPE}}}"), "{{instance}}")],
        unit="short",
        defaults={"min": 0},
    )


def _process() -> list[tuple[int, Json]]:
    memory = lines(
        "Memory",
        "Resident memory. It should be flat; a steady climb over days is a leak: report it.",
        [query(ours(f"process_resident_memory_bytes{{{q.SCOPE}}}"), "{{instance}}")],
        unit="bytes",
        defaults={"min": 0},
    )
    cpu = lines(
        "CPU",
        "Cores in use. Above 0.5 for long is not normal at any fleet size: look for a client that "
        "asks for the page or the API without pause.",
        [query(ours(f"rate(process_cpu_seconds_total{{{q.SCOPE}}}{PER})"), "{{instance}}")],
        unit="short",
        defaults={"min": 0},
    )
    return [(6, memory), (6, cpu), (6, _scrapes()), (6, _page())]


def _versions() -> Json:
    names = "instance, version, revision, python_version"
    build = f"max by ({names}) ({own('exporter_build_info')})"
    shard = f"group_left (shard, shards) max by (instance, shard, shards) ({own('shard_info')})"
    return table(
        "Processes",
        "Which versions and shards run. Two versions for longer than a rollout: look at it.",
        [query(f"{build} * on (instance) {shard} or on (instance) {build}", instant=True)],
        {
            "instance": "Instance",
            "shard": "Shard",
            "shards": "Of",
            "version": "Version",
            "revision": "Revision",
            "python_version": "Python",
        },
        sort="instance",
        descending=False,
    )


def exporter() -> Json:
    """The dashboard."""
    return dashboard(
        "exporter",
        "Whether the exporter sees the API, how fast it is, and what its calls add up to.",
        rows(
            (4, _stats()),
            (8, [(8, _rounds()), (8, _calls()), (8, _latency())]),
            (8, [(8, _failures()), (8, _throttled()), (8, _blind())]),
            (7, _process()),
            (6, [(24, _versions())]),
        ),
        since="6h",
    )
