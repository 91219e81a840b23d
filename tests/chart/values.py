"""Values at random, as the chart's schema allows them."""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.chart.charts import CHART

Schema = Mapping[str, Any]
Strategy = st.SearchStrategy[Any]

SCHEMA: Schema = json.loads((CHART / "values.schema.json").read_text())

SAMPLES: dict[str, list[Any]] = {
    "affinity": [{}, {"nodeAffinity": {}}],
    "extraVolumes": [[], [{"name": "more", "emptyDir": {"sizeLimit": "1Mi"}}]],
    "extraContainers": [[], [{"name": "more", "image": "more:1", "args": ["1", "true", "no"]}]],
    "extraInitContainers": [[], [{"name": "first", "image": "first:1"}]],
    "extraObjects": [
        [],
        ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n"],
        [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "on"}, "data": {"a": "1"}}],
    ],
    "global": [{}, {"imagePullSecrets": ["a", {"name": "b"}]}, {"other": {"chart": 1}}],
}
"""For what the schema passes on to Kubernetes or leaves to other charts."""

# As people type it: Helm refuses values with control characters.
TYPED = st.characters(categories=["L", "M", "N", "P", "S", "Zs"])

TEXT = st.one_of(
    st.sampled_from(
        ["true", "no", "null", "~", "1e3", "0x1f", "012", "{{ .Values }}", "a: b", "\n"]
    ),
    st.text(TYPED, max_size=20),
)
"""With the words that a missing quote would turn into something else."""


@functools.cache
def value(key: str) -> Strategy:
    """Values of one key of the chart."""
    return st.sampled_from(SAMPLES[key]) if key in SAMPLES else _any(SCHEMA["properties"][key])


def chart_values() -> Strategy:
    """A few keys of the chart at a time."""
    keys = st.lists(st.sampled_from(sorted(SCHEMA["properties"])), unique=True, max_size=9)
    return keys.flatmap(lambda chosen: st.fixed_dictionaries({key: value(key) for key in chosen}))


def _any(schema: Schema) -> Strategy:
    if "$ref" in schema:
        return _any(SCHEMA["definitions"][schema["$ref"].removeprefix("#/definitions/")])
    if "anyOf" in schema:
        return st.one_of([_any(each) for each in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _BY_TYPE[schema["type"]](schema)


def _text(schema: Schema) -> Strategy:
    if "pattern" in schema:
        # In Python, not in Go, $ leaves room for a line break at the end.
        pattern = schema["pattern"].removesuffix("$") + (
            r"\Z" if schema["pattern"][-1] == "$" else ""
        )
        texts = st.from_regex(re.compile(pattern, re.ASCII), alphabet=TYPED)
    else:
        texts = TEXT
    least, most = schema.get("minLength", 0), schema.get("maxLength", 1000)
    refused = schema.get("not", {}).get("enum", [])
    return texts.filter(lambda text: least <= len(text) <= most and text not in refused)


def _object(schema: Schema) -> Strategy:
    if isinstance(schema.get("additionalProperties"), dict):
        names = {"type": "string", **schema.get("propertyNames", {})}
        return st.dictionaries(_any(names), _any(schema["additionalProperties"]), max_size=3)
    required = set(schema.get("required", []))
    parts = {name: _any(each) for name, each in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: each for name, each in parts.items() if name in required},
        optional={name: each for name, each in parts.items() if name not in required},
    ).filter(lambda made: len(made) >= schema.get("minProperties", 0))


def _array(schema: Schema) -> Strategy:
    sizes = {"min_size": schema.get("minItems", 0), "max_size": schema.get("maxItems", 3)}
    return st.lists(_any(schema["items"]), **sizes, unique=schema.get("uniqueItems", False))


def _integer(schema: Schema) -> Strategy:
    return st.integers(schema.get("minimum"), schema.get("maximum", 2**53))


def _number(schema: Schema) -> Strategy:
    low, high = schema.get("minimum"), schema.get("maximum", 2**53)
    return st.one_of(st.integers(low, high), st.floats(low, high, width=32))


_BY_TYPE = {
    "array": _array,
    "boolean": lambda _: st.booleans(),
    "integer": _integer,
    "null": lambda _: st.none(),
    "number": _number,
    "object": _object,
    "string": _text,
}
