"""The figures by integration type: usual allowances, and how evidence becomes an expectation."""

from collections.abc import Mapping
from typing import NamedTuple

from nexhealth_exporter.expectation.schedule import HOUR, MINUTE
from nexhealth_exporter.model import IntegrationType, Severity


class Tuning(NamedTuple):
    """The figures for one integration type.

    Ticket factors are on the usual warning allowance: a direction's own quiet stretches may ask for
    more of it. Page factors are on the usual critical allowance. Shares are of the weeks that were
    seen.
    """

    usual: Mapping[Severity, float]
    """Seconds of unexpected lag that are tolerated of a sync whose own cadence is not known."""
    rest_below_share: float
    """A slot that was active in a smaller share of weeks counts as rest."""
    full_from_share: float
    """A slot that was active in this share of weeks or more is fully expected."""
    ticket_factor_least: float
    """The least, however short its quiet stretches were."""
    ticket_factor_least_overnight: float
    """The same for a silence that can only be overdue after a night: people come late."""
    ticket_factor_least_morning: float
    """The same for a silence that begins in the morning: machines are restarted then."""
    ticket_factor_most: float
    """The most, however long they were: an outage of a whole working day must be found."""
    page_factor: float
    page_factor_overnight: float
    """The same for a silence that can only be overdue after a night."""
    quiet_margin: float
    """A silence may last so many times as long as the quiet stretches that were seen before."""
    midday_second: float
    """From this second of the local day on, silence may mean that people went home. A browser may
    have moved last an hour before its office closed at noon, or two."""

    @property
    def usual_quiet(self) -> float:
        """Seconds of expected time for which a sync of this type may usually be quiet."""
        return self.usual[Severity.WARNING]


SERVER = Tuning(
    usual={Severity.WARNING: 45.0 * MINUTE, Severity.CRITICAL: 4.0 * HOUR},
    rest_below_share=0.78,
    full_from_share=1.0,
    ticket_factor_least=0.92,
    ticket_factor_least_overnight=2.0,
    ticket_factor_least_morning=1.5,
    ticket_factor_most=2.0,
    page_factor=0.98,
    page_factor_overnight=1.5,
    quiet_margin=1.5,
    midday_second=11.0 * HOUR,
)
CLOUD = Tuning(
    usual={Severity.WARNING: 2.5 * HOUR, Severity.CRITICAL: 6.0 * HOUR},
    rest_below_share=0.50,
    full_from_share=0.85,
    ticket_factor_least=1.3,
    ticket_factor_least_overnight=0.78,
    ticket_factor_least_morning=1.3,
    ticket_factor_most=1.6,
    page_factor=0.85,
    page_factor_overnight=0.85,
    quiet_margin=1.35,
    midday_second=10.0 * HOUR,
)

USUAL_IN_DEFAULT_HOURS: Mapping[Severity, float] = {
    Severity.WARNING: 4.0 * HOUR,
    Severity.CRITICAL: 9.0 * HOUR,
}
"""While only default hours are known, whatever the type: the office may keep others."""


def tuning_of(kind: IntegrationType) -> Tuning:
    """The figures of that type; an unknown one is taken for browser-based, the cautious reading."""
    return SERVER if kind is IntegrationType.SERVER else CLOUD
