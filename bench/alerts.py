"""How good the alerts are: worlds of simulated offices, replayed and compared with the truth.

    python -m bench.alerts [--worlds N] [--offices N] [--tuning]
                           [--unlike | --seldom | --left-on SHARE | --left-open SHARE |
                            --one-way SHARE]

Each world has six weeks of history and six weeks that are judged; the first six are a table of
their own, since nothing was known then. Worlds for testing have other seeds than those that
the tuning was done on. Exits with 1 when the world is too easy or a bar is not reached.
"""

import argparse
import bisect
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from bench.leaps import KINDS, Leaps
from nexhealth_exporter.backtest import Alert
from nexhealth_exporter.backtest.baselines import Tally
from nexhealth_exporter.model import IntegrationType, Operation, Severity
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import read
from nexhealth_exporter.simulator.fleets import Mix
from nexhealth_exporter.simulator.site import Vagaries
from nexhealth_exporter.simulator.world import TESTING_SEEDS, TUNING_SEEDS, World

DAY, HOUR, MINUTE = 86400.0, 3600.0, 60.0
WEEKS = 6
HISTORY = 7 * WEEKS
MONTH = 30 * DAY
STARTS = tuple(
    datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    for day in ("2026-01-26", "2025-09-15", "2026-04-20", "2025-10-20")
)
"""Six weeks later are judged: both changes of clocks, Thanksgiving, Christmas, summer holidays."""

MUST_FIND = {
    (IntegrationType.SERVER, Severity.WARNING): 3 * HOUR,
    (IntegrationType.CLOUD, Severity.WARNING): 6 * HOUR,
    (IntegrationType.SERVER, Severity.CRITICAL): 8 * HOUR,
    (IntegrationType.CLOUD, Severity.CRITICAL): 16 * HOUR,
}
SLACK = 20 * MINUTE
"""A sync needs this long to show that it is back."""

Windows = list[tuple[float, float]]


@dataclass
class Tallied:
    """What was counted of one type, severity and half of the worlds' time."""

    months: float = 0.0
    false: int = 0
    closures: int = 0
    closure_alerts: int = 0
    true: int = 0
    must: int = 0
    missed: int = 0
    times: list[float] = field(default_factory=list)
    """Open seconds until an outage was found, of those that began while it was up."""
    later: list[float] = field(default_factory=list)
    """The same of those that began while it rested: they are seen at the next opening only."""
    at_once: int = 0
    """False alerts at the very first look: their deadline had passed before it."""
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tallied") -> None:
        """Add what was counted elsewhere."""
        for name in ("months", "false", "closures", "closure_alerts", "true", "must", "missed",
                     "at_once"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.times += other.times
        self.later += other.later
        self.causes += other.causes


Key = tuple[IntegrationType, Severity, bool]
"""Type, severity, and whether it was in the judged weeks (else in the first six)."""


@dataclass
class Result:
    """The result of one world."""

    tallied: dict[Key, Tallied]
    simpler: dict[IntegrationType, Tally]
    incidents: int
    incident_alerts: int
    observations: int


class Times:
    """Up time as a running sum."""

    def __init__(self, windows: Iterable[tuple[float, float]]) -> None:
        self.windows: Windows = [(a, b) for a, b in windows]
        self.starts = [a for a, _ in self.windows]

    def between(self, start: float, end: float) -> float:
        """Seconds of up time between."""
        total = 0.0
        for a, b in self.windows[max(0, bisect.bisect(self.starts, start) - 1) :]:
            if a >= end:
                break
            total += max(0.0, min(b, end) - max(a, start))
        return total


class Truth:
    """One sync's truth, asked about its alerts."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.kind = KINDS[told["emr_type"]]
        self.up = {op: Times(told["up"][op.value]) for op in Operation}
        zone = ZoneInfo(told["timezone"])
        self.zone = zone
        announced = [
            _day(date.fromisoformat(closure["day"]), zone)
            for closure in told["closures"]
            if closure["announced"]
        ]
        self.meant = {op: Times(_without(told["meant"][op.value], announced)) for op in Operation}
        """Nobody misses a server that was to be off: a forgotten night is no open time, nor is a
        closure of which the exporter was told."""
        self.outages = told["outages"]
        self.closures = sorted(
            _midnight(date.fromisoformat(closure["day"]), zone)
            for closure in told["closures"]
            if not closure["announced"]
        )

    def outage_of(self, alert: Alert) -> dict[str, Any] | None:
        """The outage that the alert is about."""
        for outage in self.outages:
            if alert.operation.value in outage["directions"] and outage["from"] <= alert.fired_at:
                since = self.up[alert.operation].between(outage["to"], alert.fired_at)
                if outage["to"] >= alert.fired_at or since <= SLACK:
                    return dict(outage)
        return None

    def closure_of(self, alert: Alert) -> float | None:
        """The midnight of the unannounced closure that the alert is about."""
        for day in reversed(self.closures):
            if day <= alert.fired_at and (
                self.up[alert.operation].between(day + DAY, alert.fired_at) <= SLACK
            ):
                return day
        for day in self.closures:
            # Some servers are switched off at closing time on the evening before.
            if alert.fired_at < day < alert.fired_at + DAY:
                up = self.up[alert.operation].between(alert.fired_at, day + DAY)
                return day if not up else None
        return None

    def why_false(self, alert: Alert) -> str:
        """What a false alert was about, in a few words."""
        local = datetime.fromtimestamp(alert.fired_at, self.zone)
        day = local.date().isoformat()
        part = "am" if local.hour < 12 else "pm"  # noqa: PLR2004
        if day in self.told["half_days"]:
            return f"half day {part}"
        changed = [d for d in self.told["hours_changed"] if d <= day]
        if changed and (local.date() - date.fromisoformat(changed[-1])).days <= 21:  # noqa: PLR2004
            return "changed hours"
        return f"{self.told['habit']} {part}"


def _day(day: date, zone: ZoneInfo) -> tuple[float, float]:
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def _without(windows: Iterable[tuple[float, float]], days: Windows) -> Windows:
    """The windows without those days."""
    left = [(a, b) for a, b in windows]
    for start, end in days:
        left = [
            (a, b)
            for begin, over in left
            for a, b in ((begin, min(over, start)), (max(begin, end), over))
            if a < b
        ]
    return left


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def _episodes(alerts: list[Alert]) -> Iterator[Alert]:
    """Alerts as people get them: one for both directions, for as long as either lasts."""
    until = float("-inf")
    for alert in sorted(alerts, key=lambda a: a.fired_at):
        end = float("inf") if alert.resolved_at is None else alert.resolved_at
        if alert.fired_at > until:
            yield alert
        until = max(until, end)


UNLIKE = Mix(
    second_sync=0.15,
    same_server=0.1,
    rare_hours=0.12,
    few_a_day=0.06,
    power=(0.2, 0.6, 0.2),
    interactions=(1.5, 10.0),
    stray_minutes=(0.0, 1440.0),
    outages_a_year=2.0,
    incidents_a_year=6.0,
    vagaries=Vagaries(
        open_spread=15, close_spread=20, late_opening=0.03, late_evening=0.08,
        half_day=0.006, sudden_closure=0.005, lesser_holidays=0.4,
    ),
)  # fmt: skip
"""Offices unlike those used for tuning: less punctual, quieter, more irregular."""

SELDOM = Mix(interactions=(0.35, 1.5))
"""Browser-based syncs that move three to thirteen times a day."""


def world(seed: int, offices: int, step: float, mix: Mix) -> Result:
    """Replay one world and judge it."""
    start = STARTS[seed % len(STARTS)]
    made = World(seed, offices, start, 2 * HISTORY, history=HISTORY, mix=mix)
    judged_from = start + HISTORY * DAY
    rules = read(made.configuration(), "closures")
    defaults = Defaults("America/New_York", "US", DAY, 30 * DAY)
    replay = Leaps(made, policy(rules, defaults), step, judged_from).run()
    facts = made.facts()
    tallied: dict[Key, Tallied] = defaultdict(Tallied)
    by_sync: dict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in replay.alerts:
        by_sync[alert.institution, alert.sync].append(alert)
    incident_alerts = 0
    for told in made.truths():
        truth = Truth(told)
        alerts = by_sync[told["institution"], told["sync"]]
        for is_judged in (False, True):
            span = (judged_from, made.end) if is_judged else (start, judged_from)
            for severity in Severity:
                tally = tallied[truth.kind, severity, is_judged]
                of = [a for a in alerts if a.severity is severity]
                in_incidents = _judge(truth, of, span, severity, tally)
                incident_alerts += in_incidents if is_judged else 0
    simpler: dict[IntegrationType, Tally] = defaultdict(Tally)
    for kind, ways in replay.simpler:
        simpler[kind].add(ways)
    judged = [i for i in facts["incidents"] if i["from"] >= judged_from]
    return Result(
        dict(tallied), dict(simpler), len(judged), incident_alerts,
        len(replay.syncs) * replay.looks,
    )  # fmt: skip


def _judge(
    truth: Truth, alerts: list[Alert], span: tuple[float, float], severity: Severity, tally: Tallied
) -> int:
    tally.months += (span[1] - span[0]) / MONTH
    in_incidents = 0
    closed: Counter[float] = Counter()
    for alert in _episodes(alerts):
        if not span[0] <= alert.fired_at < span[1]:
            continue
        outage = truth.outage_of(alert)
        closure = truth.closure_of(alert)
        if outage is not None:
            tally.true += 1
            in_incidents += outage["kind"] == "incident"
        elif closure is not None:
            tally.closure_alerts += 1
            closed[closure] += 1
        else:
            tally.false += 1
            tally.at_once += alert.fired_at == span[0]
            tally.causes[truth.why_false(alert)] += 1
            if "-v" in sys.argv:
                day = int((alert.fired_at - span[0]) / DAY) + HISTORY * (span[0] % 2 == 0)
                local = datetime.fromtimestamp(alert.fired_at, truth.zone)
                print(
                    "false",
                    severity,
                    truth.told["institution"],
                    truth.told["habit"],
                    alert.operation,
                    f"{local:%a %d %b %H:%M}",
                    day,
                    truth.why_false(alert),
                )
    tally.closures += len([c for c in truth.closures if span[0] <= c < span[1]])
    _find(truth, alerts, span, severity, tally)
    return in_incidents


def _find(
    truth: Truth, alerts: list[Alert], span: tuple[float, float], severity: Severity, tally: Tallied
) -> None:
    for outage in truth.outages:
        start, end = outage["from"], min(outage["to"], span[1])
        if not span[0] <= start < span[1] or outage["kind"] == "incident":
            continue
        ways = [Operation(way) for way in outage["directions"]]
        lasted = min(truth.meant[way].between(start, end) for way in ways)
        fired = [a.fired_at for a in alerts if a.operation in ways and start < a.fired_at <= end]
        was = any(
            a.fired_at <= start and (a.resolved_at is None or a.resolved_at > start)
            for a in alerts
            if a.operation in ways
        )
        if fired and not was:
            up = truth.meant[ways[0]]
            times = tally.times if up.between(start - MINUTE, start) else tally.later
            times.append(up.between(start, min(fired)))
        if lasted >= MUST_FIND[truth.kind, severity]:
            tally.must += 1
            if not fired and not was:
                tally.missed += 1
                if "-v" in sys.argv:
                    print(
                        "missed", truth.told["institution"], truth.told["habit"], severity, outage
                    )


def main() -> int:
    """Print the tables; 1 when a bar is not reached."""
    arguments = _arguments()
    seeds = (TUNING_SEEDS if arguments.tuning else TESTING_SEEDS)[arguments.skip :]
    seeds = seeds[: arguments.worlds]
    total: dict[Key, Tallied] = defaultdict(Tallied)
    simpler: dict[IntegrationType, Tally] = defaultdict(Tally)
    incidents = incident_alerts = number = 0
    with ProcessPoolExecutor(arguments.jobs) as pool:
        count = len(seeds)
        mix = _mix(arguments)
        played = partial(world, mix=mix)
        for result in pool.map(
            played, seeds, [arguments.offices] * count, [arguments.step] * count
        ):
            for key, tally in result.tallied.items():
                total[key].add(tally)
            for kind, ways in result.simpler.items():
                _add(simpler[kind], ways)
            incidents += result.incidents
            incident_alerts += result.incident_alerts
            number += result.observations
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    _print(total, simpler)
    print(f"{incidents} incidents of the vendor in the evaluated weeks; "
          f"{incident_alerts} tickets and pages of single offices for incidents; "
          f"{number} observations")  # fmt: skip
    return _verdict(total, simpler)


def _mix(arguments: argparse.Namespace) -> Mix:
    if arguments.left_on is not None:
        return Mix(power=(0.0, 1.0, 0.0), left_on=arguments.left_on)
    if arguments.one_way is not None:
        return Mix(incidents_one_way=arguments.one_way)
    if arguments.left_open is not None:
        return Mix(left_open=arguments.left_open)
    return UNLIKE if arguments.unlike else SELDOM if arguments.seldom else Mix()


def _add(one: Tally, other: Tally) -> None:
    one.syncs += other.syncs
    one.seconds += other.seconds
    one.counts.update(other.counts)


def _print(total: dict[Key, Tallied], simpler: dict[IntegrationType, Tally]) -> None:
    for is_judged in (True, False):
        print("\nafter six weeks of history" if is_judged else "\nthe first six weeks")
        print("| type | severity | office-months | false per office and month | for closures "
              "| outages to find | missed | median, min | 90 %, min "
              "| began up | began at rest |")  # fmt: skip
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for kind in KINDS.values():
            for severity in Severity:
                tally = total[kind, severity, is_judged]
                median, ninth = _quantiles(tally.times + tally.later)
                up, rest = _quantiles(tally.times)[0], _quantiles(tally.later)[0]
                print(f"| {kind} | {severity} | {tally.months:.0f} "
                      f"| {tally.false / tally.months:.3f} "
                      f"| {tally.closure_alerts / tally.months:.3f} ({tally.closure_alerts} for "
                      f"{tally.closures} days) | {tally.must} | {tally.missed} | {median:.0f} "
                      f"| {ninth:.0f} | {up:.0f} of {len(tally.times)} "
                      f"| {rest:.0f} of {len(tally.later)} |")  # fmt: skip
                causes = dict(tally.causes.most_common(9))
                print(f"    {kind} {severity}: {causes}; {tally.at_once} at the first look",
                      file=sys.stderr)  # fmt: skip
    print("\n| simpler rule | " + " | ".join(simpler) + " |\n| --- |" + " --- |" * len(simpler))
    for way in ("plain", "colour", "fixed", "default"):
        cells = [t.counts[way] / (t.seconds / MONTH) for t in simpler.values()]
        print(f"| {way} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")


def _quantiles(times: list[float]) -> tuple[float, float]:
    if len(times) < 2:  # noqa: PLR2004
        return 0.0, 0.0
    return statistics.median(times) / 60, statistics.quantiles(times, n=10)[8] / 60


BARS = {
    (Severity.WARNING, True): 0.10,
    (Severity.CRITICAL, True): 0.01,
    (Severity.WARNING, False): 0.8,
    (Severity.CRITICAL, False): 0.15,
}
MEDIAN = {
    (IntegrationType.SERVER, Severity.WARNING): 45,
    (IntegrationType.CLOUD, Severity.WARNING): 150,
    (IntegrationType.SERVER, Severity.CRITICAL): 240,
    (IntegrationType.CLOUD, Severity.CRITICAL): 360,
}
LEAST_MONTHS = 1000
HARD = {
    (IntegrationType.SERVER, "plain"): 10,
    (IntegrationType.CLOUD, "plain"): 40,
    (IntegrationType.SERVER, "fixed"): 2,
    (IntegrationType.CLOUD, "fixed"): 8,
}


def _verdict(total: dict[Key, Tallied], simpler: dict[IntegrationType, Tally]) -> int:
    failures: list[str] = []
    for (kind, severity, is_judged), tally in total.items():
        rate, bar = tally.false / tally.months, BARS[severity, is_judged]
        if rate > bar:
            failures.append(f"{kind} {severity} judged={is_judged}: {rate:.3f} false, bar {bar}")
        if is_judged and tally.missed:
            failures.append(f"{kind} {severity}: {tally.missed} of {tally.must} outages missed")
        median = round(_quantiles(tally.times + tally.later)[0])
        if is_judged and median > MEDIAN[kind, severity]:
            failures.append(f"{kind} {severity}: median {median:.0f} min")
    for (kind, way), least in HARD.items():
        tally_of = simpler[kind]
        if tally_of.counts[way] / (tally_of.seconds / MONTH) < least:
            failures.append(f"the world is too easy: {kind} {way}")
    months = {kind: total[kind, Severity.WARNING, True].months for kind in KINDS.values()}
    failures += [
        f"only {number:.0f} office-months of {kind} judged"
        for kind, number in months.items()
        if number < LEAST_MONTHS
    ]
    for failure in failures:
        print(f"not reached: {failure}")
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--skip", type=int, default=0, help="number of worlds to skip first")
    parser.add_argument("--offices", type=int, default=100)
    parser.add_argument("--step", type=float, default=300.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tuning", action="store_true", help="use the worlds for tuning")
    parser.add_argument("--unlike", action="store_true", help="offices of another kind")
    parser.add_argument("--seldom", action="store_true", help="syncs that move a few times a day")
    parser.add_argument(
        "--left-on",
        type=float,
        metavar="SHARE",
        help="switch all servers off at night, but leave them on in this share of nights",
    )
    parser.add_argument(
        "--left-open",
        type=float,
        metavar="SHARE",
        help="leave all browsers open in this share of nights",
    )
    parser.add_argument(
        "--one-way",
        type=float,
        metavar="SHARE",
        help="let this share of the vendor's incidents stop only reads or only writes",
    )
    parser.add_argument("-v", action="store_true", help="name the outages that were missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
