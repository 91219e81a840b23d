"""The rules: checked by promtool, told as stories, and complete."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts import readme, weeks
from tests.alerts.tools import (
    ALERTS,
    PROMETHEUS,
    ROOT,
    RULE_FILES,
    STORIES,
    alerts,
    rules,
    run,
)
from tests.e2e.processes import binary

RUNBOOKS = ROOT / "docs" / "runbooks"
NAMES = sorted({rule["alert"] for rule in alerts()})


@pytest.mark.parametrize("generation", PROMETHEUS)
def test_promtool_finds_nothing_to_complain_about(generation: str) -> None:
    promtool = binary(generation, "promtool")

    done = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("generation", PROMETHEUS)
@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_the_story_comes_true(story: Path, generation: str) -> None:
    done = run(binary(generation, "promtool"), "test", "rules", story.name, cwd=story.parent)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_weeks_are_those_of_the_core() -> None:
    stale = [
        story.name
        for story in weeks.ALL
        if (ALERTS / "tests" / f"{story.name}.yaml").read_text() != weeks.written(story)
    ]

    assert stale == [], "run: python -m tests.alerts.weeks"


def test_every_alert_is_listed_where_alerts_and_runbooks_are() -> None:
    stale = [path.name for path, text in readme.written() if path.read_text("utf-8") != text]

    assert stale == [], "run: python -m tests.alerts.readme"


@pytest.mark.parametrize("name", NAMES)
def test_the_alert_is_in_a_story(name: str) -> None:
    told = "".join(path.read_text() for path in STORIES)

    assert name in told


def test_there_are_exactly_the_promised_alerts() -> None:
    promised = """
        ServerSyncOverdue CloudSyncOverdue FleetIncident SyncsAbandoned InstitutionWithoutSync
        InstitutionVanished SyncVanished PollsFailing DataOld KeyRefused APIDown RateLimited
        CallsOverBudget ExporterDown ShardMissing StateLost ReloadFailed Watchdog
    """

    listed = {f"NexHealth{name}" for name in promised.split()}
    assert not set(NAMES) - listed, "promise them: add their names to this test"
    assert not listed - set(NAMES), "promised, but no rule in alerts/ has the name"


def test_alerts_and_runbooks_belong_together_both_ways() -> None:
    assert {path.stem for path in RUNBOOKS.glob("NexHealth*.md")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_runbook_has_its_four_heads(name: str) -> None:
    heads = re.findall(r"^#+ (.*)$", (RUNBOOKS / f"{name}.md").read_text(), re.MULTILINE)

    assert [name, "Meaning", "Impact", "Diagnosis", "Mitigation"] == heads


@pytest.mark.parametrize("rule", alerts(), ids=lambda r: f"{r['alert']}-{r['labels']['severity']}")
def test_the_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    notes = rule["annotations"]

    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    assert "{{" not in notes["summary"]
    assert notes["summary"].endswith(".")
    assert notes["description"]
    assert notes["next_step"]
    assert notes["link"].startswith("http://nexhealth-exporter:10639/")
    assert f"https://runbooks.example/nexhealth-exporter/{rule['alert']}.md" == notes["runbook_url"]
    assert not any("{{" in label for label in rule["labels"].values())


@pytest.mark.parametrize("rule", alerts(), ids=lambda r: f"{r['alert']}-{r['labels']['severity']}")
def test_the_alert_waits_where_a_lost_scrape_would_matter(rule: dict[str, str]) -> None:
    per_sync = "Overdue" in rule["alert"] or "Vanished" in rule["alert"]

    assert "for" in rule or rule["alert"] == "NexHealthWatchdog"
    assert not per_sync or rule["keep_firing_for"] == "15m"


def test_what_may_be_dropped_is_read_by_no_rule_and_no_text() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    offered = page.partition("```text\n")[2].partition("```")[0].split()
    whole = "".join(path.read_text() for path in RULE_FILES)

    assert len(offered) == 4
    for name in offered:
        for asked in (name, name.replace("_read_", "_%s_").replace("_write_", "_%s_")):
            assert not re.search(rf"\b{re.escape(asked)}\b", whole), asked
        either = re.sub("_(read|write)_", "_(read|write)_", name)
        assert either not in whole


def test_recordings_are_named_by_level_metric_and_operation() -> None:
    recorded = [rule["record"] for rule in rules() if "record" in rule]

    assert recorded
    assert all(re.fullmatch(r"[a-z_]+:nexhealth_[a-z_]+:[a-z0-9_]+", name) for name in recorded)


def test_the_scrape_job_is_named_in_one_place() -> None:
    expressions = "".join(rule["expr"] for rule in rules())

    assert expressions.count('job="nexhealth-exporter"') == 1
    assert "instance" not in expressions


@cache
def told() -> dict[str, list[list[tuple[int, bool]]]]:
    """For each alert, story by story: at which minutes it is said to be there, or not."""
    found: dict[str, list[list[tuple[int, bool]]]] = {name: [] for name in NAMES}
    for path in STORIES:
        for case in yaml.safe_load(path.read_text())["tests"]:
            said: dict[str, list[tuple[int, bool]]] = {}
            for check in case.get("alert_rule_test", ()):
                is_there = bool(check.get("exp_alerts"))
                said.setdefault(check["alertname"], []).append((_minute(check), is_there))
            for check in case.get("promql_expr_test", ()):
                for name, is_there in _shown(check):
                    said.setdefault(name, []).append((_minute(check), is_there))
            for name, times in said.items():
                found[name].append(sorted(times))
    return found


def _minute(check: dict[str, str]) -> int:
    return int(check["eval_time"].removesuffix("m"))


def _shown(check: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """The alerts that an expression asks for at an instant, and whether they are there."""
    asked = re.search(r'ALERTS\{[^}]*?alertname(=~?)"([^"]+)"[^}]*\}(?!\[)', check["expr"])
    if not asked:
        return
    pattern = asked[2] if asked[1] == "=~" else re.escape(asked[2])
    samples = "".join(sample["labels"] for sample in check.get("exp_samples") or ())
    for name in NAMES:
        if re.fullmatch(pattern, name):
            yield name, bool(samples) and (name in samples or "alertname=" not in samples)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"NexHealthWatchdog"}))
def test_a_story_tells_the_alert_from_silence_to_its_end(name: str) -> None:
    def is_whole(times: list[tuple[int, bool]]) -> bool:
        fired = [minute for minute, is_there in times if is_there]
        silent = [minute for minute, is_there in times if not is_there]
        return bool(fired and silent) and min(silent) < min(fired) <= max(fired) < max(silent)

    assert any(is_whole(times) for times in told()[name]), (
        f"no story in alerts/tests/ says that {name} is silent, then fires, then is silent again; "
        f"they say (minute, fires): {told()[name]}"
    )


SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
KEPT_BY_DEFAULT = 15 * SECONDS["d"]


def looks_back(expression: str) -> int:
    """The longest range or offset, in seconds."""
    found = re.findall(r"(?:\[|offset )(\d+)([smhd])", expression)
    return max((int(count) * SECONDS[unit] for count, unit in found), default=0)


def test_groups_leave_no_gaps() -> None:
    groups = [g for path in RULE_FILES for g in yaml.safe_load(path.read_text())["groups"]]

    assert all(looks_back(f"[{group['interval']}]") <= 5 * SECONDS["m"] for group in groups)


def test_only_the_report_of_a_month_needs_more_than_prometheus_keeps_by_default() -> None:
    far = {rule["record"] for rule in rules() if looks_back(rule["expr"]) > KEPT_BY_DEFAULT}

    late = "institution_sync:nexhealth_sync_read_late"
    assert far == {f"{late}:sum30d", f"{late}:count30d"}


@pytest.mark.parametrize("rule", alerts(), ids=lambda r: f"{r['alert']}-{r['labels']['severity']}")
def test_the_alert_compares_and_does_not_pick(rule: dict[str, str]) -> None:
    assert re.search(r"[<>=]=? |absent\(", rule["expr"]) or rule["alert"] == "NexHealthWatchdog"
    assert not re.search(r"topk|bottomk|quantile|info\(", rule["expr"])
