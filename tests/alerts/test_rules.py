"""The rules: checked by promtool, told as stories, and complete."""

import re
from pathlib import Path

import pytest

from tests.alerts import readme, weeks
from tests.alerts.tools import (
    ALERTS,
    PROMETHEUS,
    ROOT,
    RULE_FILES,
    STORIES,
    alerts,
    binary,
    rules,
    run,
)

pytestmark = pytest.mark.alerts

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

    assert sorted(f"NexHealth{name}" for name in promised.split()) == NAMES


def test_alerts_and_runbooks_belong_together_both_ways() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("NexHealth*.md")) == NAMES


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


def test_recordings_are_named_by_level_metric_and_operation() -> None:
    recorded = [rule["record"] for rule in rules() if "record" in rule]

    assert recorded
    assert all(re.fullmatch(r"[a-z_]+:nexhealth_[a-z_]+:[a-z0-9_]+", name) for name in recorded)


def test_the_scrape_job_is_named_in_one_place() -> None:
    expressions = "".join(rule["expr"] for rule in rules())

    assert expressions.count('job="nexhealth-exporter"') == 1
    assert "instance" not in expressions
