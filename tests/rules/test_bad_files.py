"""Each file of `bad` is wrong in one way; its lines that begin with #! are the whole answer."""

from pathlib import Path

import pytest

from nexhealth_exporter import rules
from nexhealth_exporter.errors import ConfigError

BAD = sorted((Path(__file__).parent / "bad").glob("*.txt"))


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_wrong_file_is_refused_with_line_key_and_remedy(file: Path) -> None:
    text = file.read_text()
    expected = [line.removeprefix("#! ") for line in text.splitlines() if line.startswith("#! ")]

    with pytest.raises(ConfigError) as refusal:
        rules.read(text, "rules.yaml")

    assert expected
    assert expected == str(refusal.value).splitlines()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml cannot be read: No such file"):
        rules.load(tmp_path / "nowhere.yaml")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes(b"schedules: \xff\xfe")
    with pytest.raises(ConfigError, match=r"rules.yaml is not UTF-8 text; save it as UTF-8.$"):
        rules.load(file)


def test_a_control_character_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^rules.yaml: is not YAML: .*#x0000"):
        rules.read("schedules: \0", "rules.yaml")


def test_a_bomb_of_aliases_is_refused_soon() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="is nested too deeply, or holds too much"):
        rules.read("\n".join(lines), "rules.yaml")


def test_deep_nesting_is_refused() -> None:
    for text in ("a: " + "[" * 5000, "a: " + "{a: " * 5000, "? " * 5000):
        with pytest.raises(ConfigError, match="is nested too deeply, or holds too much"):
            rules.read(text, "rules.yaml")
