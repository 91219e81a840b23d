"""A change of content is seen, however the file is swapped."""

import os
from pathlib import Path

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
