"""What a backtest prints: the alerts, the incidents, and the comparison."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from nexhealth_exporter.backtest.baselines import Tally
from nexhealth_exporter.backtest.replay import Alert, Incident, Replay
from nexhealth_exporter.formatting import rfc3339
from nexhealth_exporter.model import IntegrationType, Severity

MONTH = 30 * 86400.0

RULES = {
    "plain": "lag > 20 min for 10 min",
    "colour": "the vendor's colour for reads",
    "fixed": "fixed hours Mon-Fri 8-17, lag > 60 min for 30 min",
    "default": "unexpected lag over default hours",
    "warning": "nexhealth-exporter: tickets",
    "critical": "nexhealth-exporter: pages",
}
"""The rules that are compared: the simpler ones, and the exporter's by severity."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result. Instants are POSIX seconds; `rates` are alerts per office and 30 days."""

    alerts: list[Alert]
    incidents: list[Incident]
    syncs: dict[IntegrationType, int]
    start: float
    end: float
    rates: dict[IntegrationType, dict[str, float]]

    def as_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "alerts": [_alert(alert) for alert in self.alerts],
            "incidents": [
                {
                    "integration_type": lasted.integration_type.value,
                    "from": rfc3339(lasted.start),
                    "to": None if lasted.end is None else rfc3339(lasted.end),
                }
                for lasted in self.incidents
            ],
            "syncs": sum(self.syncs.values()),
            "from": rfc3339(self.start),
            "to": rfc3339(self.end),
            "summary": {
                kind.value: {
                    "syncs": self.syncs[kind],
                    "alerts_per_office_and_month": {
                        rule: round(rate, 4) for rule, rate in rates.items()
                    },
                }
                for kind, rates in self.rates.items()
            },
        }


def answer(replay: Replay, since: float | None) -> Answer:
    """The result of a replay; `since` (POSIX seconds) limits what is reported."""
    first, end = replay.first or 0.0, replay.last or 0.0
    start = first if since is None else max(first, since)
    alerts = [alert for alert in replay.alerts if alert.fired_at >= start]
    # Alerts count under the type that their sync has in the end, as do the rules that they are
    # compared with: when they fired, it may have been unknown or another one.
    kinds = replay.kinds
    tallies: dict[IntegrationType, Tally] = {}
    for kind, baselines in replay.observed:
        tallies.setdefault(kind, Tally()).add(baselines)
    return Answer(
        alerts=alerts,
        incidents=[i for i in replay.incidents if i.end is None or i.end >= start],
        syncs={kind: tally.syncs for kind, tally in tallies.items()},
        start=start,
        end=end,
        rates={
            kind: _rates(tally, [a for a in alerts if kinds[a.institution, a.sync] is kind])
            for kind, tally in tallies.items()
        },
    )


def _rates(tally: Tally, alerts: list[Alert]) -> dict[str, float]:
    months = tally.seconds / MONTH
    if not months:
        return dict.fromkeys(RULES, 0.0)
    own = Counter({severity.value: _of_syncs(alerts, severity) for severity in Severity})
    counts = tally.counts + own
    return {rule: counts[rule] / months for rule in RULES}


def _of_syncs(alerts: list[Alert], severity: Severity) -> int:
    """Number of alerts as people get them: one while either direction alerts."""
    number = 0
    until: dict[tuple[str, str], float] = {}
    for alert in alerts:
        if alert.severity is not severity:
            continue
        key = (alert.institution, alert.sync)
        number += alert.fired_at > until.get(key, float("-inf"))
        end = float("inf") if alert.resolved_at is None else alert.resolved_at
        until[key] = max(until.get(key, end), end)
    return number


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "institution": alert.institution,
        "sync": alert.sync,
        "operation": alert.operation.value,
        "severity": alert.severity.value,
        "fired_at": rfc3339(alert.fired_at),
        "resolved_at": None if alert.resolved_at is None else rfc3339(alert.resolved_at),
    }
