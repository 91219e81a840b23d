"""The pages about configuration tell what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nexhealth_exporter import rules, webconfig

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", CONFIGURATION, re.MULTILINE | re.DOTALL)
SECTIONS = ("schedules:", "institutions:", "closures:")


def test_the_table_of_settings_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "settings_page.py"), "--check"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout) == (0, ""), check.stderr


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.startswith(SECTIONS)])
def test_every_example_of_rules_is_accepted(block: str) -> None:
    rules.read(block, "configuration.md")


def test_the_example_of_a_web_configuration_is_accepted(tmp_path: Path) -> None:
    (block,) = [b for b in BLOCKS if b.startswith("basic_auth_users:")]
    file = tmp_path / "web.yaml"
    file.write_text(block)
    assert webconfig.load(file).users


def test_every_yaml_block_is_tried() -> None:
    assert len(BLOCKS) > 5
    assert all(b.startswith((*SECTIONS, "basic_auth_users:", "tls_server_config:")) for b in BLOCKS)
