import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chart.charts import MONITORING, NEWEST, OLDEST


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_fits_the_strict_schemas_of_kubernetes(
    version: str, manifests: list[Path]
) -> None:
    command = Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run(
        [command, "--strict", "-k", version, *manifests],
        capture_output=True,
        text=True,
        check=False,
    )
    unknown = re.findall(
        r"WARN .* Couldn't find schema for kind (\w+) with api version (\S+)", done.stdout
    )

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("INFO ") > len(manifests) * 4
    assert {
        (kind, MONITORING) for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")
    } == set(unknown)
