"""What the pages show works, and what they name exists."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import promql_parser
import pytest
import yaml

from nexhealth_exporter import rules, webconfig
from nexhealth_exporter.backtest.observations import Observation
from nexhealth_exporter.cli.arguments import parse_arguments
from nexhealth_exporter.exposition import table
from nexhealth_exporter.model import Reason
from nexhealth_exporter.plan import Pace, Scope, plan
from nexhealth_exporter.report import story
from nexhealth_exporter.settings import Settings, variable
from tests.docs.pages import PAGES, ROOT, Example, examples
from tests.e2e.processes import binary

RULES = ("schedules:", "institutions:", "closures:")
WEB = ("basic_auth_users:", "tls_server_config:")
PROMETHEUS, VALUES = "# prometheus.yml\n", "# my-values.yaml\n"
TEXTS = {page: page.read_text("utf-8") for page in PAGES}
CHART = ROOT / "helm/nexhealth-exporter"

EXPORTED = {family.name for family in (*table.OF_FLEET, *table.OWN)}
SUFFIXES = ("", "_bucket", "_count", "_sum")


def is_of_the_chart(example: Example) -> bool:
    return example.text.startswith(VALUES) or example.page.name == "helm.md"


def laid_over(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """What Helm holds against the schema: the chart's own values, and what is given over them."""
    both = {**defaults, **values}
    maps = [key for key in values if isinstance(defaults.get(key), dict) and values[key]]
    whole = both | {key: laid_over(defaults[key], values[key]) for key in maps}
    return {key: value for key, value in whole.items() if value is not None}


def test_every_example_is_in_a_language_that_is_checked() -> None:
    known = {"yaml", "promql", "console", "sh", "json", "text"}
    drawn = [str(example) for example in examples() if example.language not in known]
    starts = (*RULES, *WEB, PROMETHEUS, VALUES)
    unknown = [
        str(example)
        for example in examples("yaml")
        if not example.text.startswith(starts) and not is_of_the_chart(example)
    ]
    assert (drawn, unknown) == ([], [])


@pytest.mark.parametrize("example", examples("yaml"), ids=str)
def test_every_file_is_accepted(example: Example, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(example.text)
    if is_of_the_chart(example):
        # Imported here: it takes seconds, which each worker would pay while it collects.
        from jsonschema import validate  # noqa: PLC0415

        schema = json.loads((CHART / "values.schema.json").read_text())
        defaults = yaml.safe_load((CHART / "values.yaml").read_text())
        validate(laid_over(defaults, yaml.safe_load(example.text)), schema)
    elif example.text.startswith(RULES):
        rules.read(example.text, str(example))
    elif example.text.startswith("basic_auth_users:"):
        assert webconfig.load(file).users
    elif example.text.startswith(PROMETHEUS):
        # Files are named as seen from the repository.
        (tmp_path / "alerts").symlink_to(ROOT / "alerts")
        command = [str(binary("prometheus-3", "promtool")), "check", "config", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", examples("promql"), ids=str)
def test_every_query_can_be_parsed(example: Example) -> None:
    promql_parser.parse(example.text)


@pytest.mark.parametrize("example", examples("json"), ids=str)
def test_every_observation_can_be_read(example: Example) -> None:
    msgspec.json.decode(example.text, type=Observation)


def commands() -> list[str]:
    """What the pages type into a terminal to start the program."""
    lines = [
        line
        for example in examples("console")
        for line in example.text.replace("\\\n", " ").splitlines()
    ]
    return [line[2:] for line in lines if line.startswith("$ nexhealth-exporter")]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_understood(command: str) -> None:
    parse_arguments(shlex.split(command, comments=True)[1:])


def test_every_variable_that_a_page_names_exists() -> None:
    known = {variable(name) for name in Settings.model_fields}
    named = {
        (page.name, word)
        for page, text in TEXTS.items()
        for word in re.findall(r"NEXHEALTH_EXPORTER_[A-Z_]*[A-Z]", text)
    }
    assert len(named) > len(known)
    assert [pair for pair in sorted(named) if pair[1] not in known] == []


def test_every_metric_that_a_page_names_exists() -> None:
    recorded = set(re.findall(r"record: (\S+)", (ROOT / "alerts/recording.yaml").read_text()))
    known = {name + suffix for name in EXPORTED for suffix in SUFFIXES}
    known |= {re.sub(r"_total$", "", name) for name in EXPORTED}
    wrong = [
        (page.name, word)
        for page, text in TEXTS.items()
        for word in re.findall(r"(?<![\w/.:-])\w*:?nexhealth_\w+(?::\w+)?(?![\w/.])", text)
        if word not in known | recorded and word != "nexhealth_exporter"
    ]
    assert wrong == []


def test_every_reason_to_rest_is_explained_wherever_reasons_are() -> None:
    board = (ROOT / "dashboards/institution.json").read_text("utf-8")
    page = TEXTS[ROOT / "docs/http-api.md"]
    missing = {
        "src/nexhealth_exporter/report/story.py": set(Reason) - set(story.REASONS),
        "tools/dashboards/institution.py": {r for r in Reason if f'reason=\\"{r}\\"' not in board},
        "docs/http-api.md": {r for r in Reason if f"`{r}`" not in page},
    }
    assert not any(missing.values()), missing


def test_every_task_that_a_page_names_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    tasks = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    named = {
        (page.name, task)
        for page, text in TEXTS.items()
        for task in re.findall(r"(?:`|\$ )make ([a-z-]+)", text)
    }
    assert len(named) > len(tasks) / 2
    assert [pair for pair in sorted(named) if pair[1] not in tasks] == []


def test_every_script_that_a_page_names_exists() -> None:
    named = {
        (page.name, word)
        for page, text in TEXTS.items()
        for word in re.findall(r"`(?:python )?((?:tools|bench|tests|alerts)/[\w/.-]+)`", text)
    }
    assert len(named) > 10
    assert [pair for pair in sorted(named) if not (ROOT / pair[1]).exists()] == []


def test_the_price_list_is_what_the_planner_asks() -> None:
    page = (ROOT / "docs/costs.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", page, re.MULTILINE)
    interval_rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \|$", page, re.MULTILINE)
    defaults = Settings.model_fields
    rate = defaults["api_requests_per_minute"].default / 60

    def price(scope: Scope, institutions: int, interval: float = 300) -> str:
        budget = defaults["api_calls_budget"].default if scope is Scope.AUTO else 0
        pace = Pace(scope, interval, 3600, rate, budget)
        return f"{plan(pace, institutions).projected:,.0f}"

    assert len(rows) == 5
    assert len(interval_rows) == 4
    for number, *prices in rows:
        count = int(number.replace(",", ""))
        scopes = (Scope.AUTO, Scope.FLEET, Scope.INSTITUTION)
        assert prices == [price(scope, count) for scope in scopes]
    for seconds, calls in interval_rows:
        assert calls == price(Scope.FLEET, 100, float(seconds))
