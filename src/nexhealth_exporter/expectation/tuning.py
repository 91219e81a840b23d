"""The figures by integration type: usual allowances, and how evidence becomes an expectation."""

from collections.abc import Mapping
from typing import NamedTuple

from nexhealth_exporter.expectation.schedule import HOUR, MINUTE
from nexhealth_exporter.model import IntegrationType, Severity


class Tuning(NamedTuple):
    """The figures for one integration type.

    A stretch is the factor on the usual warning allowance that a direction's own quiet stretches
    ask for before a ticket. A page factor is that on the usual critical allowance before a page.
    Shares are of the weeks that were seen.
    """

    usual: Mapping[Severity, float]
    """Seconds of unexpected lag that are tolerated of a sync whose own cadence is not known."""
    rest_below_share: float
    """A slot that was active in a smaller share of weeks counts as rest."""
    full_from_share: float
    """A slot that was active in this share of weeks or more is fully expected."""
    least_stretch: float
    """The least stretch, however short its quiet stretches were."""
    least_stretch_overnight: float
    """The same for a silence that can only be overdue after a night: people come late."""
    least_stretch_morning: float
    """The same for a silence that begins in the morning: machines are restarted then."""
    most_stretch: float
    """The greatest stretch: an outage of a whole working day must be found."""
    page_factor: float
    page_factor_overnight: float
    """The same for a silence that can only be overdue after a night."""
    quiet_margin: float
    """A silence may last so many times as long as the quiet stretches that were seen before."""

    @property
    def usual_quiet(self) -> float:
        """Seconds of expected time for which a sync of this type may usually be quiet."""
        return self.usual[Severity.WARNING]


SERVER = Tuning(
    usual={Severity.WARNING: 45.0 * MINUTE, Severity.CRITICAL: 4.0 * HOUR},
    rest_below_share=0.78,
    full_from_share=1.0,
    least_stretch=0.92,
    least_stretch_overnight=2.0,
    least_stretch_morning=1.5,
    most_stretch=2.0,
    page_factor=0.98,
    page_factor_overnight=1.5,
    quiet_margin=1.5,
)
CLOUD = Tuning(
    usual={Severity.WARNING: 2.5 * HOUR, Severity.CRITICAL: 6.0 * HOUR},
    rest_below_share=0.50,
    full_from_share=0.85,
    least_stretch=1.3,
    least_stretch_overnight=0.78,
    least_stretch_morning=1.3,
    most_stretch=1.6,
    page_factor=0.85,
    page_factor_overnight=0.85,
    quiet_margin=1.35,
)

USUAL_IN_DEFAULT_HOURS: Mapping[Severity, float] = {
    Severity.WARNING: 4.0 * HOUR,
    Severity.CRITICAL: 9.0 * HOUR,
}
"""While only default hours are known, whatever the type: the office may keep others."""


def tuning_of(kind: IntegrationType) -> Tuning:
    """The figures of that type; an unknown one is taken for browser-based, the cautious reading."""
    return SERVER if kind is IntegrationType.SERVER else CLOUD


def usual_quiet_of(kind: IntegrationType) -> float:
    """Seconds of expected time for which a sync of that type may usually be quiet."""
    return tuning_of(kind).usual_quiet
