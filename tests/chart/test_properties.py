"""Whatever the schema of the values allows, renders to objects that Kubernetes takes."""

import functools
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from tests.chart.charts import MONITORING, NEWEST, Helm, Object, environment
from tests.chart.values import chart_values


@functools.cache
def validator(kind: str, api_version: str) -> Draft202012Validator:
    """The strict schema of that kind, as kubernetes-validate has it; read once."""
    group = api_version.replace(".k8s.io", "").replace("/", "-")
    folder = f"kubernetes-json-schema/v{NEWEST}.0-local-strict"
    schema, shared = (
        schema_contents(f"{folder}/{name}.json", NEWEST)
        for name in (f"{kind.lower()}-{group}", "_definitions")
    )
    registry: Registry[Any] = Registry()
    for each in (schema, shared):
        registry = Resource.from_contents(each) @ registry
    return Draft202012Validator(schema, registry=registry)


def workable(values: dict[str, Any]) -> dict[str, Any]:
    """Without what the chart refuses together, each with a sentence of its own."""
    made = {**values, "existingSecret": {"name": "nexhealth"}}
    if made.get("demo"):
        made.pop("shards", None)
    if made.get("webConfigSecret", {}).get("name"):
        made.pop("webConfig", None)
    if made.get("serviceMonitor", {}).get("enabled"):
        made.pop("podMonitor", None)
    return made


def check(objects: list[Object], given: dict[str, Any]) -> None:
    """Kubernetes takes the objects, and the program gets the settings as they were written."""
    for each in objects:
        if each["apiVersion"] != MONITORING:
            validator(each["kind"], each["apiVersion"]).validate(each)
    told = environment(objects)
    if given.get("demo"):
        return  # its settings are flags
    for key, value in given.get("settings", {}).items():
        name = "NEXHEALTH_EXPORTER_" + re.sub("([A-Z])", r"_\1", key).upper()
        if isinstance(value, str):
            assert told.get(name, "") == value
        else:
            assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", told[name])
            assert float(told[name]) == pytest.approx(value)


@settings(
    max_examples=40,
    deadline=None,
    # To make an example smaller, Helm would run hundreds of times.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(values=chart_values())
def test_every_value_that_the_schema_allows_renders(
    each_helm: Helm, values: dict[str, Any]
) -> None:
    given = workable(values)
    check(each_helm.objects(given), given)
