"""The chart, rendered by a real Helm."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "nexhealth-exporter"
SCENARIOS = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
TOOLS = ROOT / ".tools"

Object = dict[str, Any]
Values = Mapping[str, Any] | Path

NEWEST, OLDEST = "1.37", "1.28"
MONITORING = "monitoring.coreos.com/v1"


class Refused(Exception):
    """Helm's own words for why it does not render."""


@dataclass(frozen=True)
class Helm:
    """One generation of Helm, with folders of its own."""

    binary: Path
    home: Path

    def run(self, *arguments: str | Path) -> str:
        """What the command prints; Refused when it fails."""
        homes = {f"HELM_{one}_HOME": str(self.home / one) for one in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [self.binary, *arguments],
            env={**os.environ, **homes},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise Refused(done.stderr + done.stdout)
        return done.stdout

    def text(self, values: Values, *more: str, chart: Path = CHART) -> str:
        """The rendered manifest of release `office` in namespace `watch`."""
        with _file(values) as path:
            common = ("--namespace", "watch", "--kube-version", NEWEST, "--values", path)
            return self.run("template", "office", chart, *common, *more)

    def objects(self, values: Values, *more: str, chart: Path = CHART) -> list[Object]:
        """The same as objects."""
        return [one for one in _documents(self.text(values, *more, chart=chart)) if one]


class StrictLoader(yaml.CSafeLoader):
    """Refuses a key that stands twice in one map, as Kubernetes does and PyYAML does not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT002 - PyYAML's
        """As the parent."""
        keys = [key.value for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, f"twice in {keys}", node.start_mark)
        return super().construct_mapping(node, deep)


def _documents(text: str) -> list[Object]:
    return list(yaml.load_all(text, StrictLoader))


@contextmanager
def _file(values: Values) -> Iterator[Path]:
    if isinstance(values, Path):
        yield values
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(values, file, ensure_ascii=False)  # JSON is YAML with every text in quotes
        file.flush()
        yield Path(file.name)


def one(objects: list[Object], kind: str) -> Object:
    """The only object of that kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


def pod(objects: list[Object]) -> Object:
    """The specification of the exporter's pods."""
    spec: Object = one(objects, "StatefulSet")["spec"]["template"]["spec"]
    return spec


def exporter(objects: list[Object]) -> Object:
    """The exporter's container."""
    container: Object = pod(objects)["containers"][0]
    return container


def environment(objects: list[Object]) -> dict[str, Any]:
    """The exporter's variables: their values, or where they come from."""
    return {
        each["name"]: each.get("value", each.get("valueFrom"))
        for each in exporter(objects).get("env", [])
    }
