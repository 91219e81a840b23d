import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.image.containers import IMAGE, Engine, engine, prepare

HARDENED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=none")
"""As the chart runs it; and with no network but its own loopback."""


@dataclass(frozen=True)
class Container:
    """A running container."""

    engine: Engine
    id: str

    def python(self, script: str, *arguments: str, seconds: float = 60) -> str:
        """What the image's Python prints for the script, run inside."""
        inside = ("exec", self.id, "python", "-c", script, *arguments)
        return self.engine.tell(*inside, seconds=seconds)

    @property
    def log(self) -> str:
        """Everything it has said."""
        done = self.engine.call("logs", self.id)
        return done.stdout + done.stderr

    def inspect(self, template: str) -> str:
        return self.engine.tell("inspect", "--format", template, self.id)

    def stop(self, seconds: int) -> tuple[int, float]:
        """SIGTERM, and SIGKILL after so many seconds: exit code and how long it took."""
        start = time.monotonic()
        self.engine.tell("stop", "--time", str(seconds), self.id)
        return int(self.inspect("{{.State.ExitCode}}")), time.monotonic() - start


class Runner:
    """Starts containers of the image."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def running(
        self,
        *arguments: str,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[Container]:
        """A hardened container, removed in the end."""
        variables = [f"--env={name}={value}" for name, value in (environment or {}).items()]
        where = (*self.engine.run_options, *HARDENED, *options, *variables)
        container = self.engine.tell("run", "--detach", *where, IMAGE, *arguments)
        try:
            yield Container(self.engine, container)
        finally:
            self.engine.call("rm", "--force", "--time", "1", container)

    def inspect(self, template: str) -> str:
        """A fact about the image."""
        return self.engine.tell("image", "inspect", "--format", template, IMAGE)

    def once(self, *words: str, entrypoint: str = "python") -> Any:
        """The finished command of a container that ends by itself."""
        where = ("run", "--rm", *self.engine.run_options, *HARDENED, "--entrypoint", entrypoint)
        return self.engine.call(*where, IMAGE, *words)


@pytest.fixture(scope="session")
def runner() -> Runner:
    prepare()
    return Runner(engine())


@pytest.fixture(scope="session")
def reads_metrics() -> str:
    """The script of `helm test`."""
    chart = Path(__file__).resolve().parents[2] / "helm" / "nexhealth-exporter"
    return (chart / "files" / "read_metrics.py").read_text()
