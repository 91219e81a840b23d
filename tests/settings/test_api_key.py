"""The key is read anew from its file, and never shown."""

from pathlib import Path

import pytest

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings import ApiKey, load

FILE = "NEXHEALTH_EXPORTER_API_KEY_FILE"


def key_of(file: Path) -> ApiKey:
    return ApiKey(load({}, {FILE: str(file)}))


def test_the_key_of_the_environment_is_the_key() -> None:
    assert ApiKey(load({}, {"NEXHEALTH_EXPORTER_API_KEY": " abc\n"}))() == "abc"


def test_without_a_key_the_remedy_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^NEXHEALTH_EXPORTER_API_KEY is not set; set it, or"):
        ApiKey(load({}, {}))()


def test_a_new_key_in_the_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    key = key_of(file)
    assert key() == "first"
    file.write_text("second\n")
    assert key() == "second"
    assert key.known == ("second",)


def test_the_last_good_key_stays_while_the_file_is_unusable(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    key = key_of(file)
    assert key() == "first"
    file.write_text("")
    assert key() == "first"
    file.unlink()
    assert key() == "first"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty; put the key of the NexHealth developer portal there."),
        (b"se cret", "contains spaces or characters that no key has; copy the key again."),
        (b"\xff\xfe", "is not a text file."),
    ],
)
def test_an_unusable_file_is_told_without_its_content(
    tmp_path: Path, content: bytes, text: str
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        key_of(file)()
    assert str(refused.value) == f"{FILE} {text}"


def test_a_key_put_where_the_path_belongs_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        key_of(Path("hunter2hunter2"))()
    assert str(refused.value) == f"{FILE} cannot be read: No such file or directory."
