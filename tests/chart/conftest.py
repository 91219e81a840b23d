from pathlib import Path

import pytest

from tests.chart.charts import SCENARIOS, TOOLS, Helm, Object


@pytest.fixture(scope="session")
def helms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Helm]:
    """Both generations; each test that does not depend on the difference uses the newer."""
    found = {}
    for generation in ("3", "4"):
        binary = TOOLS / f"helm-{generation}" / "helm"
        assert binary.exists(), f"{binary} is missing: python3 tools/fetch.py helm"
        found[generation] = Helm(binary, tmp_path_factory.mktemp(f"helm-{generation}"))
    return found


@pytest.fixture(params=["3", "4"])
def each_helm(request: pytest.FixtureRequest, helms: dict[str, Helm]) -> Helm:
    return helms[request.param]


@pytest.fixture(scope="session")
def helm(helms: dict[str, Helm]) -> Helm:
    return helms["4"]


@pytest.fixture(scope="session")
def scenarios(helm: Helm) -> dict[str, list[Object]]:
    """What each scenario of `ci/` renders to, by its name."""
    return {path.name.removesuffix("-values.yaml"): helm.objects(path) for path in SCENARIOS}


@pytest.fixture(scope="session")
def manifests(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same as files."""
    folder = tmp_path_factory.mktemp("manifests")
    paths = []
    for path in SCENARIOS:
        paths.append(folder / path.name)
        paths[-1].write_text(helm.text(path))
    return paths
