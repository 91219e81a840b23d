import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import nexhealth_exporter
from nexhealth_exporter.rules import schema as rules
from nexhealth_exporter.settings import Settings
from nexhealth_exporter.webconfig.schema import Http, Tls, WebConfigFile
from tests.chart.charts import CHART, ROOT

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())

PASSED_ON = {"#/definitions/kubernetes", "#/properties/global"}
"""What is not the chart's to judge: objects of Kubernetes' own, and a parent chart's values."""

CHART_OWN = {"api_key", "shard", "shards"}
"""Settings that are no key of `settings`, besides the files."""


def objects(schema: object, place: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of an object, with its place."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield place, schema
        for key, value in schema.items():
            yield from objects(value, f"{place}/{key}")
    elif isinstance(schema, list):
        for i, each in enumerate(schema):
            yield from objects(each, f"{place}/{i}")


def test_nothing_unknown_passes_anywhere() -> None:
    open_ones = {
        place
        for place, schema in objects(SCHEMA)
        if schema.get("additionalProperties", True) is True
    }

    assert open_ones == PASSED_ON


def test_the_schema_knows_exactly_the_values_that_are_documented() -> None:
    assert set(SCHEMA["properties"]) == set(VALUES)
    for key, value in VALUES.items():
        schema = SCHEMA["properties"][key]
        if "properties" in schema and value and key != "updateStrategy":  # documented as one
            assert set(schema["properties"]) == set(value), key


def test_the_schema_knows_exactly_the_settings_of_the_program() -> None:
    names = [name for name in Settings.model_fields if not name.endswith("_file")]
    camel = {
        "".join([name.split("_")[0], *(word.title() for word in name.split("_")[1:])])
        for name in names
        if name not in CHART_OWN
    }

    assert camel == set(SCHEMA["properties"]["settings"]["properties"])


def keys(name: str) -> set[str]:
    return set(SCHEMA["definitions"][name]["properties"])


def test_the_schema_knows_exactly_the_keys_of_both_files() -> None:
    file = SCHEMA["definitions"]["configurationFile"]["properties"]
    web = SCHEMA["properties"]["webConfig"]["properties"]

    assert set(rules.ConfigFile.model_fields) == set(file)
    assert set(rules.ScheduleTable.model_fields) == set(
        file["schedules"]["additionalProperties"]["properties"]
    )
    assert set(rules.Entry.model_fields) == set(file["institutions"]["items"]["properties"])
    assert set(rules.ClosureEntry.model_fields) == set(file["closures"]["items"]["properties"])
    assert set(rules.Match.model_fields) == keys("match")
    assert set(rules.TypeAllowances.model_fields) == keys("allowances")
    assert set(WebConfigFile.model_fields) == set(web)
    assert set(Tls.model_fields) == set(web["tls_server_config"]["properties"])
    assert set(Http.model_fields) == set(web["http_server_config"]["properties"])


def test_the_readme_shows_every_value() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "chart_page.py", "--check"], check=False, timeout=60
    )

    assert done.returncode == 0, "make docs"


def test_the_readme_script_sees_a_difference(tmp_path: Path) -> None:
    copied = tmp_path / "helm" / "nexhealth-exporter"
    copied.mkdir(parents=True)
    (copied / "values.yaml").write_text((CHART / "values.yaml").read_text() + "# -- New.\nnew: 1\n")
    (copied / "README.md").write_text((CHART / "README.md").read_text())
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("chart_page.py", "generated.py"):
        (tools / name).write_text((ROOT / "tools" / name).read_text())
    done = subprocess.run(
        [sys.executable, tools / "chart_page.py", "--check"], check=False, timeout=60
    )

    assert done.returncode == 1


def test_chart_and_program_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert nexhealth_exporter.__version__ == chart["appVersion"] == chart["version"]
