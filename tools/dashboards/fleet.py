"""The fleet: who is down, and why the others are not."""

from dashboards import queries as q
from dashboards.board import KEPT, dashboard, rows, variable
from dashboards.panels import (
    COLOURED,
    CRITICAL,
    FRESH,
    LATE,
    PLAIN,
    RESTING,
    SOURCE,
    UNKNOWN,
    WARNING,
    Json,
    bars,
    heatmap,
    lines,
    link,
    override,
    query,
    stat,
    steps,
    table,
)

RECORDED = f'{q.SCOPE},integration_type=~"$integration_type"'
OVERDUE, PAGED = q.overdue("warning", q.OFFICES), q.overdue("critical", q.OFFICES)

CONDITIONS = {
    "Overdue, critical": PAGED,
    "Overdue, warning": q.warned(q.OFFICES),
    "Late": q.late(q.OFFICES),
    "Fresh": q.fresh(q.OFFICES),
    "Resting": q.resting(q.OFFICES),
    "Unknown": q.unknown(q.OFFICES),
}
COLOURS = (CRITICAL, WARNING, LATE, FRESH, RESTING, UNKNOWN)
CONCLUSIONS = (
    (
        "Syncs that have been silent for longer than the critical allowance of time in which they "
        "should have run. Each is a page: begin with the table below."
    ),
    "Syncs past the warning allowance but not the critical one. Each is a ticket for office hours.",
    (
        "Syncs that should be running and whose marks are over 20 minutes old in open time, but "
        "within the allowance. Nothing to do: most recover by themselves."
    ),
    "Syncs that should be running, and do.",
    "Syncs that rest as expected. They are not broken: 'Resting, by reason' says why.",
    (
        "Syncs without a read or a write mark: they have never run in that direction. If it lasts, "
        "the installation was never finished."
    ),
)


def _office_links() -> list[Json]:
    return [
        link("Why: the office's page", "${exporter}/institutions/${__data.fields.institution}"),
        link(
            "This office over time",
            f"/d/nexhealth-institution?{KEPT}&var-institution=${{__data.fields.institution}}",
        ),
    ]


def _condition(title: str, conclusion: str, phrase: str, colour: str) -> Json:
    is_alarming = title.startswith("Overdue")
    counted = q.count(q.chosen(phrase))
    return stat(title, conclusion, counted, colour, alarming=is_alarming)


def _overdue() -> Json:
    since = f"time() - {OVERDUE}"
    silent = f"{q.unexpected(q.OFFICES)} and on ({q.KEY}) {OVERDUE}"
    pages = f"{q.deadline('critical', q.OFFICES)} - time() and on ({q.KEY}) {OVERDUE}"
    return table(
        "Overdue, worst first",
        "Who to call, in this order. 'Unexpected lag' is the silence that opening hours do not "
        "explain; 'until critical' counts down to the page and is negative once it has been sent. "
        "Click an office for the reason and what to do.",
        [query(q.named(since), instant=True)]
        + [query(q.chosen(phrase), instant=True) for phrase in (silent, pages)],
        {
            "institution_name": "Office",
            "institution": "Institution",
            "sync": "Sync",
            "integration_type": "Type",
            "emr": "System",
            "Value #B": "Unexpected lag",
            "Value #A": "Overdue for",
            "Value #C": "Until critical",
        },
        sort="Value #B",
        unit="dtdurations",
        overrides=[
            override("Office", links=_office_links()),
            override("Institution", links=_office_links()),
            override(
                "Until critical",
                thresholds=steps((None, CRITICAL), (0, WARNING)),
                custom__cellOptions=COLOURED,
            ),
        ],
    )


def _deadlines() -> Json:
    # A sync that runs has a deadline ahead too, so only those that are late are listed.
    left = f"{q.deadline('warning', q.OFFICES)} - time()"
    soon = f"{left} > 0 < 3600 and on ({q.KEY}) ({q.old(q.OFFICES)})"
    return table(
        "Overdue within the hour, if nothing moves",
        "Late syncs whose warning allowance runs out within the next hour. Several at "
        "once in one system or zone: look there before the tickets come.",
        [query(q.named(soon), instant=True)],
        {
            "institution_name": "Office",
            "institution": "Institution",
            "sync": "Sync",
            "emr": "System",
            "Value": "Left",
        },
        sort="Value",
        descending=False,
        unit="dtdurations",
        overrides=[
            override("Office", links=_office_links()),
            override("Institution", links=_office_links()),
        ],
    )


def _by_type() -> Json:
    targets = [
        query(f"count by (integration_type) ({q.chosen(phrase)})", instant=True)
        for phrase in CONDITIONS.values()
    ]
    titles = [title.removeprefix("Overdue, ").capitalize() for title in CONDITIONS]
    columns = {f"Value #{chr(65 + i)}": title for i, title in enumerate(titles)}
    return table(
        "By integration type",
        "The figures above for syncs on an office's own server, in the cloud, and of unknown "
        "type. All trouble in one row: suspect that side of the vendor, not the offices.",
        targets,
        {"integration_type": "Type", **columns},
        sort="integration_type",
        descending=False,
        overrides=[
            override(title, thresholds=steps((None, each)), custom__cellOptions=COLOURED)
            for title, each in zip(titles, COLOURS, strict=True)
        ],
    )


def _resting() -> Json:
    metric = f"nexhealth_sync_expected_downtime{{{q.SCOPE},{q.OFFICES}}}"
    reasons = f"max by ({q.KEY}, reason) ({metric}) and on ({q.KEY}) {q.marked(q.OFFICES)}"
    return bars(
        "Resting, by reason",
        "Why the resting syncs are silent. Closed at night and lunch come and go each day; many "
        "in 'holiday' on a working day, or in 'closure', may be a mistake in the configuration.",
        [
            query(
                f"count by (reason) ({q.chosen(q.judged(q.OFFICES, reasons))})",
                "{{reason}}",
                instant=True,
            )
        ],
        RESTING,
    )


def _not_judged() -> Json:
    without = f'nexhealth_institution_syncs{{{q.SCOPE},institution=~"$institution"}}'
    left_out = q.info(q.OFFICES, 'state!="active"')
    return bars(
        "Not evaluated",
        "Abandoned: both marks are older than a month, probably a practice that left. Inactive: "
        "all its locations are. Without sync: nothing has been installed yet. None of them "
        "alerts by itself; clean them up now and then.",
        [
            query(
                f"count by (state) (group by ({q.KEY}, state) ({left_out}))",
                "{{state}}",
                instant=True,
            ),
            query(
                q.count(f"max by (institution) ({without}) == 0"),
                "without sync",
                instant=True,
            ),
        ],
        PLAIN,
    )


def _share() -> Json:
    def share(direction: str) -> str:
        fresh, up = (
            f"sum by (integration_type) ({each}{{{RECORDED}}})"
            for each in (
                f"integration_type:nexhealth_sync_{direction}_fresh:count",
                "integration_type:nexhealth_sync_expected_up:count",
            )
        )
        return f"{fresh} / {up}"

    return lines(
        "Fresh, of those that should run",
        "The service level: of the syncs that should be running, the share whose marks are at "
        "most 20 minutes old. Dips of one type only point to the vendor; a slow decline points "
        "to offices that nobody called. Always of the whole fleet: only the type filters it. Leave "
        "Job and Instance at All.",
        [query(share(d), f"{{{{integration_type}}}}, {d}") for d in ("read", "write")],
        unit="percentunit",
        defaults={"min": 0, "max": 1},
    )


def _spread() -> Json:
    spread = f"integration_type_le:nexhealth_sync_read_unexpected_lag_seconds:count{{{RECORDED}}}"
    return heatmap(
        "Unexpected lag, how it is spread",
        "How many syncs have how much unexpected lag. A healthy fleet is one dark band at the "
        "bottom; a cloud that rises together is an incident, a thin line high up is one office. "
        "Always of the whole fleet: only the type filters it. Leave Job and Instance at All.",
        f"sum by (le) ({spread})",
        unit="s",
    )


def _thin() -> Json:
    late, hours = (
        f"max by ({q.KEY}) (institution_sync:nexhealth_sync_read_late:{each}30d"
        f"{{{q.SCOPE},{q.OFFICES}}})"
        for each in ("sum", "count")
    )
    left_out = q.info(q.OFFICES, 'state!="active"')
    share = f"{late} / on ({q.KEY}) {hours} unless on ({q.KEY}) {left_out}"
    worst = f"topk(25, {q.chosen(share)})"
    return table(
        "Thin coverage, last 30 days",
        "The monthly freshness report: the share of open hours in which reads were more than 20 "
        "minutes late, worst first. A cloud-based sync high up here comes and goes: too few "
        "workstations have the extension. A server high up is often switched off, or overdue. "
        "Few open hours: a new office, or Prometheus keeps less than 30 days. Leave Job "
        "and Instance at All.",
        [query(q.named(worst), instant=True), query(f"{hours} and {worst}", instant=True)],
        {
            "institution_name": "Office",
            "institution": "Institution",
            "sync": "Sync",
            "integration_type": "Type",
            "emr": "System",
            "Value #A": "Late",
            "Value #B": "Open hours",
        },
        sort="Value #A",
        unit="percentunit",
        overrides=[
            override("Office", links=_office_links()),
            override("Institution", links=_office_links()),
            override("Open hours", unit="short"),
            override(
                "Late",
                min=0,
                max=1,
                custom__cellOptions={"type": "gauge", "mode": "basic"},
                thresholds=steps((None, FRESH), (0.05, LATE), (0.2, WARNING)),
            ),
        ],
    )


def _incidents() -> Json:
    start = f"nexhealth_fleet_incident_start_timestamp_seconds{{{RECORDED}}}"
    return {
        "name": "Fleet incidents",
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": CRITICAL,
        "expr": f"max by (integration_type) ({start})",
        "titleFormat": "Fleet incident",
        "textFormat": "{{integration_type}}: many offices at once; single alerts are held back",
    }


def _filters() -> list[Json]:
    """The filters. All includes the empty value, and is cheaper than what excludes it."""
    institutions = f"nexhealth_institution_info{{{q.SCOPE}}}"
    syncs = f"nexhealth_sync_info{{{q.SCOPE}}}"
    return [
        variable("group", "Group", institutions, every=".*"),
        variable("institution", "Institution", institutions, every=".*"),
        variable("integration_type", "Type", syncs, every=".*"),
        variable("emr", "System", syncs, every=".*"),
        variable("timezone", "Time zone", syncs, every=".*"),
    ]


def fleet() -> Json:
    """The dashboard."""
    stats = [
        (4, _condition(title, conclusion, phrase, colour))
        for (title, phrase), conclusion, colour in zip(
            CONDITIONS.items(), CONCLUSIONS, COLOURS, strict=True
        )
    ]
    return dashboard(
        "fleet",
        "Which syncs of offices with NexHealth are overdue, worst first, and why the others rest.",
        rows(
            (4, stats),
            (10, [(24, _overdue())]),
            (8, [(9, _deadlines()), (9, _by_type()), (6, _resting())]),
            (8, [(12, _share()), (12, _spread())]),
            (9, [(18, _thin()), (6, _not_judged())]),
        ),
        _filters(),
        since="24h",
        annotations=[_incidents()],
    )
