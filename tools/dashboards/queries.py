"""The few PromQL phrases that all panels are made of.

A phrase is a vector with one element for each sync: replicas are reduced first, so that nothing
is counted twice. `SCOPE` is in every selector.
"""

SCOPE = 'cluster=~"$cluster",job=~"$job",instance=~"$instance"'
KEY = "institution, sync, integration_type"
FRESH_SECONDS = 1200
"""The vendor calls marks of up to 20 minutes normal."""

OFFICES = 'institution=~"$institution",integration_type=~"$integration_type"'
"""The fleet dashboard's filters that every series of a sync has a label for."""

OFFICE = 'institution="$institution",sync=~"$sync"'
"""The same of the institution dashboard."""


def one(metric: str, where: str, *more: str) -> str:
    """A metric of syncs, once for each sync; `more` are further matchers.

    Of several replicas the one with the newest mark counts: the smallest lag.
    """
    best = "min" if metric.endswith("lag_seconds") else "max"
    return f"{best} by ({KEY}) (nexhealth_sync_{metric}{{{','.join((SCOPE, where, *more))}}})"


def either(function: str, read: str, write: str) -> str:
    """One value of both directions: their min or max."""
    return f'{function} by ({KEY}) ({read} or label_replace({write}, "operation", "write", "", ""))'


def polled(where: str) -> str:
    """The latest good poll of each institution."""
    institution = where.split(",", maxsplit=1)[0]
    last = f"nexhealth_institution_last_poll_timestamp_seconds{{{SCOPE},{institution}}}"
    return f"max by (institution) ({last})"


def deadline(severity: str, where: str, such: str = "") -> str:
    """The earlier deadline of both directions; `such` is a comparison that each has to pass."""
    which = f'severity="{severity}"'
    read, write = (
        one(f"{operation}_deadline_timestamp_seconds", where, which) + such
        for operation in ("read", "write")
    )
    return either("min", read, write)


def overdue(severity: str, where: str) -> str:
    """The deadline of each sync that is overdue at that severity."""
    # What has not passed cannot be overdue; leaving it out first halves the cost.
    passed = deadline(severity, where, " <= time()")
    return f"({passed} <= on (institution) group_left () {polled(where)})"


def warned(where: str) -> str:
    """The deadline of each sync that is overdue at severity warning, and not yet critical."""
    return f"({overdue('warning', where)} unless on ({KEY}) {overdue('critical', where)})"


def unexpected(where: str) -> str:
    """The larger unexpected lag of both directions."""
    read, write = (one(f"{o}_unexpected_lag_seconds", where) for o in ("read", "write"))
    return either("max", read, write)


def expected(where: str) -> str:
    """The syncs that are within their hours; who moves seldom is so without being expected up."""
    rests = one("expected_downtime", where)
    return f"({one('expected_up', where)} unless on ({KEY}) {rests})"


def info(where: str, *more: str) -> str:
    """What is known of each sync, for `and` and `unless`."""
    return f"nexhealth_sync_info{{{','.join((SCOPE, where, *more))}}}"


def judged(where: str, phrase: str) -> str:
    """The phrase without syncs that are abandoned, inactive or already overdue."""
    left_out = info(where, 'state!="active"')
    return (
        f"(({phrase}) unless on ({KEY}) {left_out} unless on ({KEY}) {overdue('warning', where)})"
    )


def marked(where: str) -> str:
    """In how many directions the marks are old, of the syncs of which both are known."""
    read, write = (
        f"({one(f'{o}_unexpected_lag_seconds', where)} > bool {FRESH_SECONDS})"
        for o in ("read", "write")
    )
    return f"({read} + on ({KEY}) {write})"


def old(where: str) -> str:
    """Within its hours, and later than normal in a direction."""
    return f"{marked(where)} > 0 and on ({KEY}) {expected(where)}"


def late(where: str) -> str:
    """Within its hours, later than normal, and not overdue yet."""
    return judged(where, old(where))


def fresh(where: str) -> str:
    """Within its hours, and both marks are as young as is normal."""
    return judged(where, f"{marked(where)} == 0 and on ({KEY}) {expected(where)}")


def resting(where: str) -> str:
    """Expected down, and not overdue."""
    return judged(where, f"{one('expected_downtime', where)} and on ({KEY}) {marked(where)}")


def unknown(where: str) -> str:
    """A mark is missing: the sync has never read, or never asked for writes."""
    return judged(where, f"{one('expected_up', where)} unless on ({KEY}) {marked(where)}")


FILTERED_SYNCS = f'nexhealth_sync_info{{{SCOPE},{OFFICES},emr=~"$emr",timezone=~"$timezone"}}'
FILTERED_INSTITUTIONS = (
    f'nexhealth_institution_info{{{SCOPE},institution=~"$institution",group=~"$group"}}'
)


def chosen(phrase: str) -> str:
    """The phrase for the offices that the fleet dashboard's other filters leave.

    What they do not leave is taken away: with *All* there is nothing of that, at no cost.
    """
    syncs = (info(OFFICES, f'{label}!~"${label}"') for label in ("emr", "timezone"))
    institutions = (
        f'nexhealth_institution_info{{{SCOPE},institution=~"$institution",group!~"$group"}}'
    )
    left_out = [f"unless on ({KEY}) {each}" for each in syncs]
    return f"(({phrase}) {' '.join(left_out)} unless on (institution) {institutions})"


def named(phrase: str) -> str:
    """The same, with institution_name and emr.

    Replicas may disagree for a moment about what an office is called: hence the topk.
    """
    emr = f"topk by ({KEY}) (1, max by ({KEY}, emr) ({FILTERED_SYNCS}))"
    names = f"max by (institution, institution_name) ({FILTERED_INSTITUTIONS})"
    name = f"topk by (institution) (1, {names})"
    with_emr = f"({phrase}) * on ({KEY}) group_left (emr) {emr}"
    return f"{with_emr} * on (institution) group_left (institution_name) {name}"


def count(phrase: str) -> str:
    """How many; 0 rather than nothing, but nothing where no exporter tells anything."""
    return f"count({phrase}) or 0 * max(nexhealth_institutions{{{SCOPE}}})"
