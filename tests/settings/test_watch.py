"""A change of content is seen, however the file is swapped."""

import os
from pathlib import Path

import pytest

from nexhealth_exporter.cli.parts import read_files
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings import load
from nexhealth_exporter.watch import fingerprint


def test_only_a_change_of_content_counts(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("one")
    before = fingerprint([file])
    os.utime(file, (0, 0))
    assert fingerprint([file]) == before
    file.write_text("two")
    assert fingerprint([file]) != before


def test_a_swapped_link_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v2").mkdir()
    (tmp_path / "v1" / "key").write_text("one")
    (tmp_path / "v2" / "key").write_text("two")
    link = tmp_path / "current"
    link.symlink_to("v1")
    before = fingerprint([link / "key"])
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").replace(link)
    assert fingerprint([link / "key"]) != before


def test_a_file_that_goes_or_comes_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "key"
    gone = fingerprint([file])
    file.write_text("")
    assert fingerprint([file]) != gone


def test_a_file_that_cannot_even_be_looked_for_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("a" * 5000, "a\0b"):
        assert fingerprint([tmp_path / name]) == {tmp_path / name: None}


def test_what_a_pipe_held_is_not_lost_when_files_are_read_again() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"institutions: [{match: {}, group: east}]")
    os.close(writing)
    path = Path(f"/dev/fd/{reading}")
    settings = load({}, {"NEXHEALTH_EXPORTER_CONFIG_FILE": str(path)})
    first = read_files(settings)

    assert read_files(settings, first).rules is first.rules
    assert first.rules.institutions.items

    os.close(reading)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_files(settings, first)
