"""From evidence of some weeks to a pattern: which slots of the week run, and how sure that is."""

from collections.abc import Callable

from nexhealth_exporter.expectation.evidence import DAYS_KEPT, Evidence
from nexhealth_exporter.expectation.nights import NEVER, switched_off
from nexhealth_exporter.expectation.pattern import WHOLE, YOUNG_WEEKS, Pattern, Week
from nexhealth_exporter.expectation.pauses import rhythm
from nexhealth_exporter.expectation.shares import HALF, Shares
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.expectation.values import values_of
from nexhealth_exporter.model import IntegrationType

SURE = 0.75
"""A pattern is used from here on."""


def derived(
    evidence: Evidence,
    today: int,
    skipped: Callable[[int], bool],
    kind: IntegrationType,
    before: Pattern | None,
) -> Pattern | None:
    """The pattern at the beginning of the local day `today`; None while it is not sure."""
    # People switch machines off; in browsers they are just not there.
    is_server = kind is IntegrationType.SERVER
    off = switched_off(evidence, today, skipped) if is_server else NEVER
    shares = Shares(evidence, today, skipped, off)
    sure = shares.sure()
    if sure < SURE:
        return None
    values, seldom = values_of(shares, kind)
    weeks = min(DAYS_KEPT // 7, max(1, (today - shares.oldest) // 7))
    tells_little = shares.told_from(tuning_of(kind).rest_below_share) < HALF
    if tells_little and not seldom and weeks >= YOUNG_WEEKS:
        return None
    read, write = (rhythm(evidence, today, way, kind) for way in (0, 1))
    week = Week(
        values=values,
        activity=shares.activity(),
        pauses=(read.pauses, write.pauses),
        quiets=(evidence.quiets[0], evidence.quiets[1]),
        alone=(read.alone, write.alone),
        seldom=seldom,
    )
    return Pattern(
        packed=week.packed(),
        sure=round(sure, 3),
        weeks=weeks,
        since=before.since if before else today,
        # Who moves seldom in both directions has hours that have room for it.
        weights=(WHOLE, WHOLE) if seldom else (read.weight, write.weight),
    )
