"""What the Prometheus operator reads: its own shapes, with unknown fields refused."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cloudcoil.models.prometheus_operator import v1

from tests.chart.charts import CHART, MONITORING, ROOT, TOOLS, Helm, Object, one

KINDS = ("ServiceMonitor", "PodMonitor", "PrometheusRule")


def strict(schema: Any) -> Any:
    """The schema with nothing allowed that it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if "properties" in schema else {}
    return {key: strict(value) for key, value in schema.items()} | more


@pytest.fixture(scope="module")
def validators() -> dict[str, jsonschema.Draft202012Validator]:
    return {
        kind: jsonschema.Draft202012Validator(
            strict(getattr(v1, kind).model_json_schema(by_alias=True))
        )
        for kind in KINDS
    }


def test_monitors_and_rules_fit_the_operator(
    scenarios: dict[str, list[Object]], validators: dict[str, jsonschema.Draft202012Validator]
) -> None:
    seen = set()
    for objects in scenarios.values():
        for each in objects:
            if each["apiVersion"] == MONITORING:
                validators[each["kind"]].validate(each)
                seen.add(each["kind"])

    assert set(KINDS) == seen


def test_a_field_that_the_operator_does_not_know_would_be_seen(
    scenarios: dict[str, list[Object]], validators: dict[str, jsonschema.Draft202012Validator]
) -> None:
    monitor = copy.deepcopy(one(scenarios["operator"], "ServiceMonitor"))
    monitor["spec"]["endpoints"][0]["every"] = "30s"

    with pytest.raises(jsonschema.ValidationError, match="every"):
        validators["ServiceMonitor"].validate(monitor)


def selected(labels: dict[str, str], selector: dict[str, Any]) -> bool:
    return set(selector["matchLabels"].items()) <= set(labels.items())


def test_the_service_monitor_finds_the_service_and_its_port(
    scenarios: dict[str, list[Object]],
) -> None:
    for name in ("operator", "https"):
        objects = scenarios[name]
        monitor, service = one(objects, "ServiceMonitor")["spec"], one(objects, "Service")

        assert selected(service["metadata"]["labels"], monitor["selector"])
        assert [service["metadata"]["namespace"]] == monitor["namespaceSelector"]["matchNames"]
        assert monitor["endpoints"][0]["port"] in [
            each["name"] for each in service["spec"]["ports"]
        ]
        assert service["metadata"]["labels"][monitor["jobLabel"]] == "nexhealth-exporter"


def test_the_pod_monitor_finds_the_pods_and_their_port(scenarios: dict[str, list[Object]]) -> None:
    monitor = one(scenarios["pod-monitor"], "PodMonitor")["spec"]
    template = one(scenarios["pod-monitor"], "StatefulSet")["spec"]["template"]
    ports = [port["name"] for port in template["spec"]["containers"][0]["ports"]]

    assert selected(template["metadata"]["labels"], monitor["selector"])
    assert monitor["podMetricsEndpoints"][0]["port"] in ports
    assert "team" in template["metadata"]["labels"]


def test_https_is_scraped_as_https_with_the_password(scenarios: dict[str, list[Object]]) -> None:
    (endpoint,) = one(scenarios["https"], "ServiceMonitor")["spec"]["endpoints"]

    assert endpoint["scheme"] == "https"
    assert endpoint["basicAuth"]["password"]["name"] == "nexhealth-exporter-scrape"


def groups(objects: list[Object]) -> list[Object]:
    found: list[Object] = one(objects, "PrometheusRule")["spec"]["groups"]
    return found


@pytest.fixture(scope="module")
def repository_groups() -> list[Object]:
    files = sorted((ROOT / "alerts").glob("*.yaml"))
    read = [yaml.safe_load(file.read_text()) for file in files]
    return [group for each in read for group in each.get("groups", [])]


@pytest.mark.parametrize("generation", ["prometheus-2", "prometheus-3"])
@pytest.mark.parametrize("scenario", ["operator", "pod-monitor"])
def test_prometheus_takes_the_rendered_rules(
    scenarios: dict[str, list[Object]], generation: str, scenario: str, tmp_path: Path
) -> None:
    promtool = TOOLS / generation / "promtool"
    assert promtool.exists(), f"{promtool} is missing: python3 tools/fetch.py prometheus"
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": groups(scenarios[scenario])}))
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_rules_are_the_repository_s(helm: Helm, repository_groups: list[Object]) -> None:
    values = {
        "demo": True,
        "settings": {"externalUrl": "http://nexhealth-exporter:10639"},
        "prometheusRule": {
            "enabled": True,
            "runbookUrl": "https://runbooks.example/nexhealth-exporter/",
        },
    }

    assert repository_groups == groups(helm.objects(values))


def test_rules_carry_the_operator_s_words(
    scenarios: dict[str, list[Object]], repository_groups: list[Object]
) -> None:
    rendered = groups(scenarios["operator"])
    alerts = [rule for group in rendered for rule in group["rules"] if "alert" in rule]
    before = {
        rule["alert"] for group in repository_groups for rule in group["rules"] if "alert" in rule
    }
    left_out = {"NexHealthCallsOverBudget", "NexHealthSyncsAbandoned"}

    assert left_out < before
    assert before - left_out == {rule["alert"] for rule in alerts}
    assert {"integrations"} == {rule["labels"]["team"] for rule in alerts}
    assert {"critical", "warning", "none"} == {rule["labels"]["severity"] for rule in alerts}
    for rule in alerts:
        page = f"https://runbooks.example.org/nexhealth/{rule['alert']}.md"
        assert page == rule["annotations"]["runbook_url"]
        assert "https://nexhealth-exporter.example.org/" in rule["annotations"]["link"]
    kept = {rule["alert"]: rule.get("keep_firing_for") for rule in alerts}
    assert kept["NexHealthServerSyncOverdue"] == "30m"
    # While these fire, no office's page is sent: they must not outlive their condition any longer.
    assert kept["NexHealthKeyRefused"] == kept["NexHealthAPIDown"] == "10m"
    assert rendered[-1]["name"] == "our-own"


def test_without_a_place_for_runbooks_no_alert_links_to_one(
    scenarios: dict[str, list[Object]],
) -> None:
    text = yaml.safe_dump(groups(scenarios["pod-monitor"]))

    assert "runbook" not in text
    assert "example" not in text
    assert "http://office-nexhealth-exporter.watch:10639/" in text


def test_the_job_in_the_rules_is_the_job_of_the_scrape(helm: Helm) -> None:
    values = {"demo": True, "nameOverride": "sync-watch", "prometheusRule": {"enabled": True}}
    text = yaml.safe_dump(groups(helm.objects(values)))

    assert 'job="sync-watch"' in text
    assert 'job="nexhealth-exporter"' not in text


def test_every_alert_can_be_switched_off_by_name(repository_groups: list[Object]) -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    known = schema["properties"]["prometheusRule"]["properties"]["disabled"]["properties"]
    alerts = {
        rule["alert"] for group in repository_groups for rule in group["rules"] if "alert" in rule
    }

    where = "prometheusRule.disabled in helm/nexhealth-exporter/values.schema.json"
    assert not alerts - set(known), f"add them to {where}"
    assert not set(known) - alerts, f"no alerts: take them from {where}"


def test_every_dashboard_is_handed_to_grafana(scenarios: dict[str, list[Object]]) -> None:
    texts = {path.name: path.read_text() for path in (ROOT / "dashboards").glob("*.json")}
    # Their links lead where those of the alerts do.
    ours, people = "http://localhost:10639", "https://nexhealth-exporter.example.org"
    dashboards = {name: text.replace(ours, people) for name, text in texts.items()}
    maps = [
        each
        for each in scenarios["operator"]
        if each["kind"] == "ConfigMap" and "grafana_dashboard" in each["metadata"]["labels"]
    ]
    carried = {key: text for each in maps for key, text in each["data"].items()}

    assert all(ours in text for text in texts.values())
    assert {f"nexhealth-{name}": text for name, text in dashboards.items()} == carried
    for each in maps:
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"]["grafana_folder"] == "NexHealth"
        assert each["metadata"]["namespace"] == "monitoring"
