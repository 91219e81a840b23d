"""From evidence of some weeks to a pattern: which slots of the week run, and how sure that is."""

from collections.abc import Callable

from nexhealth_exporter.expectation.evidence import DAYS_KEPT, Evidence
from nexhealth_exporter.expectation.nights import switched_off
from nexhealth_exporter.expectation.pattern import (
    FULL_WEIGHT_PERCENT,
    MATURE_FROM_WEEKS,
    Pattern,
    Week,
)
from nexhealth_exporter.expectation.pauses import rhythm
from nexhealth_exporter.expectation.shares import shares_of
from nexhealth_exporter.expectation.sharing import shared
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.expectation.values import values_of
from nexhealth_exporter.model import IntegrationType

SURE_FROM = 0.75
"""A pattern is used from this certainty on."""

EXPLAINED_LEAST_SHARE = 0.5
"""Hours that explain a smaller share of the moves are none."""


def derived(
    evidence: Evidence,
    today: int,
    is_skipped: Callable[[int], bool],
    kind: IntegrationType,
    before: Pattern | None,
) -> Pattern | None:
    """The pattern at the beginning of the local day `today`; None while it is not sure.

    `is_skipped` tells of a local day that nothing is learned from it. `before` is the pattern until
    now.
    """
    off = switched_off(evidence, today, is_skipped)
    shares = shares_of(evidence, today, is_skipped, off)
    sure = shares.sure()
    if sure < SURE_FROM:
        return None
    values, seldom = values_of(shares, kind)
    weeks = min(DAYS_KEPT // 7, max(1, (today - shares.oldest) // 7))
    explained = shares.moves_explained(tuning_of(kind).rest_below_share)
    if explained < EXPLAINED_LEAST_SHARE and not seldom and weeks >= MATURE_FROM_WEEKS:
        return None
    read, write = (rhythm(evidence, today, way, kind) for way in (0, 1))
    week = Week(
        values=values,
        activity=shares.activity(),
        pauses=(read.pauses.workdays, write.pauses.workdays),
        quiets=(evidence.quiets[0], evidence.quiets[1]),
        alone=(read.alone, write.alone),
        seldom=seldom,
        weekend_pauses=(read.pauses.weekend, write.pauses.weekend),
    )
    # The hours of a sync that moves seldom have room for pauses of both directions.
    full = (FULL_WEIGHT_PERCENT, FULL_WEIGHT_PERCENT)
    return Pattern(
        packed=week.packed(),
        sure=shared(round(sure, 3)),
        weeks=weeks,
        since=before.since if before else shared(today),
        weights=shared(full if seldom else (read.weight, write.weight)),
    )
