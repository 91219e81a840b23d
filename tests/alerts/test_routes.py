"""Where alerts go: amtool for the routes, a real Alertmanager for the times."""

import asyncio
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.alerts import readme
from tests.alerts.tools import (
    ALERTMANAGER,
    ALERTS,
    alertmanager,
    alerts,
    listening,
    run,
)
from tests.e2e.processes import binary

CONFIGURATION = ALERTS / "alertmanager.yaml"
EXAMPLE = ALERTS / "examples" / "office-hours.yaml"
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OFFICE = {"institution": "smiles", "sync": "main", "integration_type": "server"}


@pytest.mark.parametrize("generation", ALERTMANAGER)
@pytest.mark.parametrize("path", [CONFIGURATION, EXAMPLE], ids=lambda path: path.stem)
def test_amtool_accepts_the_configuration(path: Path, generation: str) -> None:
    done = run(binary(generation, "amtool"), "check-config", path)

    assert done.returncode == 0, done.stdout + done.stderr


def receivers(generation: str, labels: dict[str, str]) -> list[str]:
    """Where amtool sends an alert of these labels."""
    done = run(
        binary(generation, "amtool"),
        "config",
        "routes",
        "test",
        f"--config.file={CONFIGURATION}",
        *(f"{name}={value}" for name, value in labels.items()),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split(",")


@pytest.mark.parametrize("generation", ALERTMANAGER)
@pytest.mark.parametrize("rule", alerts(), ids=lambda r: f"{r['alert']}-{r['labels']['severity']}")
def test_every_alert_has_its_receiver(rule: dict[str, Any], generation: str) -> None:
    labels = {"alertname": rule["alert"], **rule["labels"]}
    severity = labels["severity"]

    if "Overdue" not in rule["alert"]:
        usual = {"critical": ["pages"], "warning": ["tickets"], "none": ["heartbeat"]}
        assert usual[severity] == receivers(generation, labels)
        return
    office = labels | OFFICE
    page = severity == "critical"
    assert (["pages"] if page else []) + ["support"] == receivers(generation, office)
    east = receivers(generation, office | {"group": "east-team"})
    assert (["pages-east-team"] if page else []) + ["support-east-team"] == east
    west = receivers(generation, office | {"group": "west"})
    assert (["pages"] if page else []) + ["support"] == west


def test_every_interval_has_a_location_and_the_root_has_none() -> None:
    for path in (CONFIGURATION, EXAMPLE):
        found = yaml.safe_load(path.read_text())
        entries = [e for i in found["time_intervals"] for e in i["time_intervals"]]
        assert all("location" in entry for entry in entries)
        assert not any(key.endswith("time_intervals") for key in found["route"])


def test_no_alert_is_source_and_target_of_one_inhibition() -> None:
    found = yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]
    fired = [{"alertname": r["alert"], **r["labels"]} for r in alerts()]

    assert found
    for rule in found:
        source = [labels for labels in fired if _fit(rule["source_matchers"], labels)]
        target = [labels for labels in fired if _fit(rule["target_matchers"], labels)]
        assert source, rule
        assert target, rule
        assert not [labels for labels in source if labels in target]


def test_of_every_alert_it_is_decided_what_holds_it_back() -> None:
    """Named by a rule of inhibition, as cause or as held back; or listed, with a reason."""
    named = set()
    for rule in yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]:
        for matchers in (rule["source_matchers"], rule["target_matchers"]):
            # What takes whatever comes names nobody.
            if not _fit(matchers, {"alertname": "NexHealthOfAnyName"}):
                fired = ({"alertname": r["alert"], **r["labels"]} for r in alerts())
                named |= {labels["alertname"] for labels in fired if _fit(matchers, labels)}
    listed = set(readme.held_by_nothing())
    where = "alerts/alertmanager.yaml"

    undecided = sorted({rule["alert"] for rule in alerts()} - named - listed)
    assert not undecided, (
        f"{', '.join(undecided)}: does another alert explain it? Then name it in the "
        f"target_matchers of that alert's rule under inhibit_rules in {where}; if none does, give "
        "it a line with the reason in the list below these rules. Then: make docs"
    )
    both = sorted(listed & named)
    assert not both, f"{', '.join(both)}: named in a rule and listed as held by nothing, in {where}"
    gone = sorted(listed - {rule["alert"] for rule in alerts()})
    assert not gone, f"{', '.join(gone)}: listed as held by nothing in {where}, but no alert"


def _fit(matchers: list[str], labels: dict[str, str]) -> bool:
    return all(_fits(matcher, labels) for matcher in matchers)


def _fits(matcher: str, labels: dict[str, str]) -> bool:
    found = re.fullmatch(r'(\w+) (=|!=|=~|!~) "(.*)"', matcher)
    assert found, matcher
    name, operator, value = found.groups()
    pattern = value if "~" in operator else re.escape(value)
    return bool(re.fullmatch(pattern, labels.get(name, ""))) is not operator.startswith("!")


# The clock cannot be set, so the calendar is moved instead: the interval's zone becomes one in
# which it is now the wanted hour, and its weekdays are renamed so that today is the wanted one.
# What stands together in one entry, and what apart, stays as it is written.


def zone_where_it_is(hour: int, now: datetime) -> str:
    """A fixed zone in which the hour of the day is that one now."""
    zones = [f"Etc/GMT{offset:+d}" for offset in range(-14, 13)]
    return next(zone for zone in zones if now.astimezone(ZoneInfo(zone)).hour == hour)


def moved(entry: dict[str, Any], weekday: str, hour: int, now: datetime) -> dict[str, Any]:
    """The entry with its calendar moved so that it is that weekday and hour now."""
    zone = zone_where_it_is(hour, now)
    today = now.astimezone(ZoneInfo(zone)).weekday()
    result = {**entry, "location": zone}
    if "weekdays" in entry:
        days = [day for spec in entry["weekdays"] for day in _days(spec)]
        shift = today - WEEK.index(weekday)
        result["weekdays"] = [WEEK[(WEEK.index(day) + shift) % 7] for day in days]
    return result


def _days(spec: str) -> list[str]:
    first, _, last = spec.partition(":")
    return list(WEEK[WEEK.index(first) : WEEK.index(last or first) + 1])


def probing(path: Path, listener: str, probes: list[tuple[str, str, int]], now: datetime) -> str:
    """A configuration with one route for each probe: active only within its moved interval."""
    intervals = {
        i["name"]: i["time_intervals"] for i in yaml.safe_load(path.read_text())["time_intervals"]
    }
    names = [f"{name} {weekday} {hour}" for name, weekday, hour in probes]
    return yaml.safe_dump(
        {
            "route": {
                "receiver": "probe",
                "routes": [
                    {
                        "matchers": [f'probe = "{name}"'],
                        "active_time_intervals": [name],
                        "group_by": ["probe"],
                        "group_wait": "0s",
                    }
                    for name in [*names, "end"]
                ],
            },
            "time_intervals": [
                {
                    "name": name,
                    "time_intervals": [moved(e, day, hour, now) for e in intervals[interval]],
                }
                for name, (interval, day, hour) in zip(names, probes, strict=True)
            ]
            + [{"name": "end", "time_intervals": [{"years": ["2000:3000"]}]}],
            "receivers": [{"name": "probe", "webhook_configs": [{"url": f"{listener}/probe"}]}],
        }
    )


HOURS = {
    # Interval, weekday: the hours of that day in which it holds.
    ("support-hours", "monday"): range(8, 20),
    ("support-hours", "friday"): range(8, 20),
    ("support-hours", "saturday"): range(9, 13),
    ("support-hours", "sunday"): range(0),
    ("engineering-hours", "wednesday"): range(9, 17),
    ("engineering-hours", "saturday"): range(0),
    ("nights-new-york", "sunday"): {*range(8), *range(17, 24)},
    ("weekends-new-york", "friday"): range(0),
    ("weekends-new-york", "saturday"): range(24),
    ("lunch-new-york", "tuesday"): range(12, 14),
    ("nights-los-angeles", "monday"): {*range(8), *range(17, 24)},
    ("weekends-los-angeles", "sunday"): range(24),
    ("lunch-los-angeles", "friday"): range(12, 14),
}


@pytest.mark.parametrize("generation", ALERTMANAGER)
@pytest.mark.parametrize("path", [CONFIGURATION, EXAMPLE], ids=lambda path: path.stem)
async def test_intervals_hold_when_they_should(path: Path, generation: str, tmp_path: Path) -> None:
    own = {i["name"] for i in yaml.safe_load(path.read_text())["time_intervals"]}
    wanted = {key: hours for key, hours in HOURS.items() if key[0] in own}
    assert own == {name for name, _ in wanted} | {name for name in own if "holidays" in name}
    probes = [(name, day, hour) for name, day in wanted for hour in range(24)]
    expected = {f"{name} {day} {hour}" for (name, day), hours in wanted.items() for hour in hours}
    await _clear_of_the_hour()
    now = datetime.now(ZoneInfo("UTC"))

    async with listening() as listener:
        config = probing(path, listener.http, probes, now)
        async with alertmanager(tmp_path, generation, config) as server:
            await server.post(*({"probe": f"{n} {d} {h}"} for n, d, h in probes))
            await listener.until(lambda heard: len(heard.posts) >= len(expected))
            await server.post({"probe": "end"})
            await listener.until(lambda heard: "end" in _probes(heard.to("/probe")))

    assert expected | {"end"} == _probes(listener.to("/probe"))


def _probes(posts: list[Any]) -> set[str]:
    return {alert["labels"]["probe"] for post in posts for alert in post["alerts"]}


async def _clear_of_the_hour() -> None:
    """The test takes seconds and must not run into the next hour."""
    late = datetime.now(ZoneInfo("UTC"))
    if late.minute == 59 and late.second > 15:
        await asyncio.sleep(61 - late.second)
