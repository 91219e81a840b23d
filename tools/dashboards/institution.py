"""One office through the week: when it ran, rested and was late, and its hours."""

from dashboards import queries as q
from dashboards.board import dashboard, rows, variable
from dashboards.panels import (
    CRITICAL,
    FRESH,
    GREY,
    LATE,
    PLAIN,
    RESTING,
    UNKNOWN,
    WARNING,
    Json,
    lines,
    link,
    override,
    query,
    stat,
    steps,
    table,
    text,
    timeline,
)

REASONS = {
    "closure": "Resting: closure",
    "holiday": "Resting: holiday",
    "weekend": "Resting: weekend",
    "lunch": "Resting: lunch",
    "closed": "Resting: closed",
    "learned": "Resting: as learned",
}
MEANINGS = {
    0: ("Fresh", FRESH),
    1: ("Late", LATE),
    2: ("Overdue, warning", WARNING),
    3: ("Overdue, critical", CRITICAL),
    4: ("Unknown", UNKNOWN),
    5: ("Not evaluated", GREY),
    **{10 + number: (words, RESTING) for number, words in enumerate(REASONS.values())},
}

SOURCES = {
    "default": ("Hours: default", UNKNOWN),
    "learned": ("Hours: learned", PLAIN),
    "configured": ("Hours: configured", PLAIN),
}
HOURS = {
    20: ("Rests", GREY),
    21: ("Should run", PLAIN),
    **{30 + number: meaning for number, meaning in enumerate(SOURCES.values())},
}


def _state() -> str:
    """The state of each sync as a number, worst first: what fits first holds."""
    left_out = 'state!="active"'
    parts = [
        f"{q.overdue('critical', q.OFFICE)} * 0 + 3",
        f"{q.overdue('warning', q.OFFICE)} * 0 + 2",
        f"max by ({q.KEY}) ({q.info(q.OFFICE, left_out)}) * 0 + 5",
        f"({q.one('expected_up', q.OFFICE)} unless on ({q.KEY}) {q.marked(q.OFFICE)}) * 0 + 4",
    ]
    for number, reason in enumerate(REASONS):
        rests = q.one("expected_downtime", q.OFFICE, f'reason="{reason}"')
        parts.append(f"{rests} * 0 + {10 + number}")
    parts.append(f"{q.unexpected(q.OFFICE)} > bool {q.FRESH_SECONDS}")
    return f" or on ({q.KEY}) ".join(f"({part})" for part in parts)


def _now() -> list[tuple[int, Json]]:
    none = ("none", GREY)
    deadline = f"min({q.deadline('critical', q.OFFICE)}) - time()"
    name = f'nexhealth_institution_info{{{q.SCOPE},institution="$institution"}}'
    worst = f"max({_state()} < 4) or min({_state()} >= 4)"
    return [
        (
            6,
            stat(
                "Office",
                "The office's name. Its page at the exporter explains its current state.",
                f"max by (institution_name) ({name})",
                PLAIN,
                legend="{{institution_name}}",
                shows="name",
                untold=none,
            ),
        ),
        (
            5,
            stat(
                "Now",
                "The worst state among its syncs. Blue is rest that was expected: do nothing.",
                worst,
                PLAIN,
                meanings=MEANINGS,
                untold=("no sync", UNKNOWN),
            ),
        ),
        (
            4,
            stat(
                "Unexpected lag",
                "The silence that opening hours do not explain, of the worst sync and direction.",
                f"max({q.unexpected(q.OFFICE)})",
                FRESH,
                unit="dtdurations",
                untold=none,
                defaults={
                    "decimals": 1,
                    "thresholds": steps((None, FRESH), (q.FRESH_SECONDS, LATE)),
                },
            ),
        ),
        (
            5,
            stat(
                "Critical in",
                "When the critical allowance runs out if nothing moves, closed hours included. "
                "Negative: it has run out, and somebody was paged.",
                deadline,
                FRESH,
                unit="dtdurations",
                untold=none,
                defaults={
                    "decimals": 1,
                    "thresholds": steps((None, CRITICAL), (0, WARNING), (14400, FRESH)),
                },
            ),
        ),
        (
            4,
            stat(
                "Last polled",
                "Age of the latest good poll. If it is much older than the poll interval, the "
                "exporter is blind: check the exporter, not the office.",
                f"time() - max({q.polled(q.OFFICE)})",
                FRESH,
                unit="dtdurations",
                untold=none,
                defaults={
                    "decimals": 1,
                    "thresholds": steps((None, FRESH), (1800, UNKNOWN)),
                },
            ),
        ),
    ]


def _direction(operation: str, conclusion: str) -> Json:
    def metric(name: str, *more: str) -> str:
        return q.one(f"{operation}_{name}", q.OFFICE, *more)

    return lines(
        f"{operation.capitalize()}: lag and what of it is unexpected",
        f"{conclusion} The grey lag grows all night and says little. Act when the unexpected lag "
        "crosses an allowance.",
        [
            query(metric("lag_seconds"), "{{sync}}: lag"),
            query(metric("unexpected_lag_seconds"), "{{sync}}: unexpected"),
            query(metric("allowance_seconds", 'severity="warning"'), "{{sync}}: warning"),
            query(metric("allowance_seconds", 'severity="critical"'), "{{sync}}: critical"),
        ],
        unit="s",
        defaults={"min": 0},
        overrides=[
            _line(".*: lag", GREY, custom__lineWidth=1, custom__fillOpacity=0),
            _line(".*: unexpected", PLAIN),
            _line(".*: warning", WARNING, custom__lineStyle={"fill": "dash", "dash": [8, 6]}),
            _line(".*: critical", CRITICAL, custom__lineStyle={"fill": "dash", "dash": [8, 6]}),
        ],
    )


def _line(pattern: str, colour: str, **properties: object) -> Json:
    fixed = {"mode": "fixed", "fixedColor": colour}
    found = override(pattern, color=fixed, **properties)
    return {**found, "matcher": {"id": "byRegexp", "options": f"/{pattern}/"}}


def _week() -> Json:
    return timeline(
        "State through the week",
        "When it ran, when it rested and why, when it was late or overdue; below it the hours in "
        "which it should run, and since when these are default, learned or configured. Rest that "
        "recurs at an odd time: correct its schedule. Yellow on most days: thin coverage.",
        [
            query(_state(), "{{sync}}"),
            query(_open(), "{{sync}}: hours"),
            query(_sources(), "{{sync}}: hours from"),
        ],
        {**MEANINGS, **HOURS},
    )


def _open() -> str:
    """Whether each sync is within its hours, as a number."""
    rests, told = (q.one(f"expected_{what}", q.OFFICE) for what in ("downtime", "up"))
    return f"{rests} * 0 + 20 or on ({q.KEY}) {told} * 0 + 21"


def _sources() -> str:
    """Where the hours of each sync come from, as a number."""
    parts = []
    for number, source in enumerate(SOURCES):
        such = q.info(q.OFFICE, f'expectation="{source}"')
        parts.append(f"(max by ({q.KEY}) ({such}) * 0 + {30 + number})")
    return f" or on ({q.KEY}) ".join(parts)


def _colours() -> Json:
    targets = []
    for operation in ("read", "write"):
        theirs = q.one(f"{operation}_up", q.OFFICE)
        due = q.one(f"{operation}_deadline_timestamp_seconds", q.OFFICE, 'severity="warning"')
        ours = f"({due} > on (institution) group_left () {q.polled(q.OFFICE)}) * 0 + 3"
        missed = f"({due} <= on (institution) group_left () {q.polled(q.OFFICE)}) * 0 + 2"
        targets.append(query(theirs, f"{{{{sync}}}}, {operation}: vendor"))
        targets.append(query(f"{ours} or {missed}", f"{{{{sync}}}}, {operation}: ours"))
    return timeline(
        "The vendor's colour beside our state",
        "The vendor turns red each night and late in an outage. Red beside 'within allowance' is "
        "rest or a short silence: leave it. Green beside 'overdue' is an outage that the vendor "
        "has not noticed yet.",
        targets,
        {
            0: ("red", UNKNOWN),
            1: ("green", PLAIN),
            2: ("overdue", WARNING),
            3: ("within allowance", FRESH),
        },
    )


def _hours() -> Json:
    columns = {
        "sync": "Sync",
        "integration_type": "Type",
        "emr": "System",
        "timezone": "Time zone",
        "expectation": "Hours are",
        "schedule": "Schedule",
        "state": "State",
        "locations": "Locations",
    }
    known = ", ".join(("institution", *columns))
    return table(
        "Hours that apply",
        "Where the expected hours come from: 'configured' names its schedule, 'learned' is the "
        "sync's own weekly pattern, 'default' means that the office's week is not known yet. Click "
        "'Hours are' for what was learned in a sentence: which hours, how sure, since when. If "
        "the zone or the schedule is wrong, so is every state shown: correct the configuration.",
        [query(f"max by ({known}) ({q.info(q.OFFICE)})", instant=True)],
        columns,
        sort="sync",
        descending=False,
        overrides=[
            override(
                "Hours are",
                links=[
                    link(
                        "What was learned, how sure it is and since when",
                        "${exporter}/institutions/${institution}",
                    )
                ],
            )
        ],
    )


_WHAT_TO_DO = """
**Blue** is expected rest: nothing to do. **Yellow** recovers by itself on most days.

1. Open [the office's page](${exporter}/institutions/${institution}): it says why, and has the
   ready commands to announce a closure and to set a silence.
2. *Stopped in the middle of open hours*: a server has restarted or lost its network, or a browser
   was closed. Call the office. *Did not come back at opening*: ask whether they are closed.
3. Several offices at once? See [the fleet](/d/nexhealth-fleet): it may be the vendor.
4. No recent polls? See [the exporter](/d/nexhealth-exporter): the exporter may be blind.
"""


def institution() -> Json:
    """The dashboard."""
    one = f"nexhealth_institution_info{{{q.SCOPE}}}"
    syncs = f'nexhealth_sync_info{{{q.SCOPE},institution="$institution"}}'
    todo = text("What to do", "What follows from the colours, step by step.", _WHAT_TO_DO)
    return dashboard(
        "institution",
        "One office: when its syncs ran, rested and were late, and what to do now.",
        rows(
            (4, _now()),
            (8, [(24, _week())]),
            (
                9,
                [
                    (12, _direction("read", "Read: from the health record system.")),
                    (12, _direction("write", "Write: check-ins for write commands.")),
                ],
            ),
            (7, [(24, _colours())]),
            (7, [(14, _hours()), (10, todo)]),
        ),
        [
            variable("institution", "Institution", one, multi=False),
            variable("sync", "Sync", syncs),
        ],
        since="7d",
    )
