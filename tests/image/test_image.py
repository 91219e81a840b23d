import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.conftest import Container, Runner
from tests.image.containers import ROOT

pytestmark = pytest.mark.timeout(1200)

PAGE = "http://127.0.0.1:10639/metrics"
LONGEST_STOP = 5

GET = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
"""


INSTALLED = """
import importlib.metadata
for each in importlib.metadata.distributions(path=["/app/lib/python3.13/site-packages"]):
    print(f"{each.name}=={each.version}")
"""

# The page until its first round has ended.
WAIT = """
import sys, time, urllib.request
for _ in range(100):
    try:
        page = urllib.request.urlopen(sys.argv[1], timeout=10).read().decode()
        if "\\nnexhealth_up " in page:
            break
    except OSError:
        pass
    time.sleep(0.2)
print(page)
"""


def test_the_dockerfile_passes_hadolint() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_says_what_it_is(runner: Runner) -> None:
    config = json.loads(runner.inspect("{{json .Config}}"))
    labels = config["Labels"]

    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["nexhealth-exporter"]
    assert config["Cmd"] == ["serve"]
    assert set(config["ExposedPorts"]) == {"10639/tcp"}
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert labels["org.opencontainers.image.revision"] == "0123456789abcdef"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_everything_inside_has_the_pinned_version(runner: Runner) -> None:
    done = runner.once("-c", INSTALLED)
    inside = set(re.sub("[-_.]+(?=.*==)", "-", done.stdout.lower()).split())
    text = (ROOT / "constraints" / "runtime.txt").read_text()
    pinned = set(re.findall(r"^(\S+==\S+)", text, re.MULTILINE))

    assert inside - pinned == {"nexhealth-exporter==0.1.0"}
    assert len(inside) > 20


def test_nothing_is_compiled_at_start(runner: Runner) -> None:
    # Python tells under -v where each module comes from; "code object from" is a source file.
    done = runner.once("-v", "-c", "import nexhealth_exporter.cli.serve")
    compiled = re.findall(r"# code object from '?(/[^']+\.py)'?$", done.stderr, re.MULTILINE)
    loaded = re.findall(r"# /app/bytecode/\S+\.pyc matches", done.stderr)

    assert done.returncode == 0
    assert compiled == []
    assert len(loaded) > 300


@pytest.fixture(scope="module")
def demo(runner: Runner) -> Iterator[Container]:
    # What it needs besides: a place for its own configuration, as the chart gives it.
    with runner.running("demo", options=("--tmpfs=/tmp:mode=1777",)) as container:
        yield container


def test_a_demo_shows_lag_without_key_or_network(demo: Container, reads_metrics: str) -> None:
    told = demo.python(reads_metrics, PAGE, "90", seconds=120)

    assert re.search(r": [1-9][0-9]* lag series$", told)


def test_the_build_names_its_version_and_revision(demo: Container) -> None:
    (line,) = re.findall(
        r"^nexhealth_exporter_build_info\{.*$", demo.python(GET, PAGE), re.MULTILINE
    )

    assert 'version="0.1.0"' in line
    assert 'revision="0123456789abcdef"' in line
    assert 'python_version="3.13.' in line


def test_it_runs_without_any_right(demo: Container) -> None:
    status = dict(
        line.split(":", 1)
        for line in demo.python("print(open('/proc/1/status').read())").splitlines()
    )

    assert status["Name"].strip() == "nexhealth-expor"  # the kernel keeps 15 characters
    assert set(status["Uid"].split()) == {"65532"}
    assert set(status["Gid"].split()) == {"65532"}
    assert {int(status[f"Cap{each}"], 16) for each in ("Eff", "Prm", "Bnd")} == {0}
    assert status["NoNewPrivs"].strip() == "1"


def test_its_root_cannot_be_written(demo: Container) -> None:
    script = """
import errno
for place in ("/", "/app", "/app/bytecode", "/var/lib/nexhealth-exporter", "/root"):
    try:
        open(place + "/written", "w")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""

    assert set(demo.python(script).split()) <= {"EROFS", "EACCES"}
    assert len(demo.python(script).split()) == 5


def test_the_health_check_finds_it_healthy(runner: Runner, demo: Container) -> None:
    command = json.loads(runner.inspect("{{json .Config.Healthcheck}}"))["Test"]
    done = runner.engine.call("exec", demo.id, *command[1:])

    assert command[:2] == ["CMD", "python"]
    assert done.returncode == 0, done.stderr


def test_the_health_check_finds_silence_ill(runner: Runner) -> None:
    command = json.loads(runner.inspect("{{json .Config.Healthcheck}}"))["Test"]

    assert runner.once(*command[2:]).returncode != 0


def test_sigterm_ends_a_busy_demo(runner: Runner, reads_metrics: str) -> None:
    with runner.running("demo", options=("--tmpfs=/tmp:mode=1777",)) as container:
        container.python(reads_metrics, PAGE, "90", seconds=120)
        code, seconds = container.stop(LONGEST_STOP)

    assert code == 0
    assert seconds < LONGEST_STOP


def test_it_serves_with_a_mounted_key_and_keeps_its_state(runner: Runner, tmp_path: Path) -> None:
    key = tmp_path / "api-key"
    key.write_text("a-key-that-nobody-may-see")
    key.chmod(0o444)
    tmp_path.chmod(0o755)
    options = (
        f"--volume={tmp_path}:/etc/nexhealth-exporter/secret:ro",
        "--volume=/var/lib/nexhealth-exporter",
    )
    environment = {
        "NEXHEALTH_EXPORTER_API_KEY_FILE": "/etc/nexhealth-exporter/secret/api-key",
        "NEXHEALTH_EXPORTER_STATE_FILE": "/var/lib/nexhealth-exporter/state.db",
        "NEXHEALTH_EXPORTER_API_URL": "http://127.0.0.1:9",
    }
    with runner.running(options=options, environment=environment) as container:
        page = container.python(WAIT, PAGE)
        container.python("open('/var/lib/nexhealth-exporter/mine', 'w').close()")
        told = container.log + container.python("print(open('/proc/1/cmdline').read())")
        code, seconds = container.stop(LONGEST_STOP)

    assert re.search(r"^nexhealth_up 0", page, re.MULTILINE)
    assert "nobody-may-see" not in page + told
    assert code == 0
    assert seconds < LONGEST_STOP


def test_without_a_key_it_says_what_is_missing(runner: Runner) -> None:
    done = runner.once("serve", entrypoint="nexhealth-exporter")

    assert done.returncode == 1
    assert "NEXHEALTH_EXPORTER_API_KEY is not set" in done.stderr
