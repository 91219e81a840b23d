"""Every input that the fuzzer begins with, and each that once broke a promise, keeps it."""

import json
from pathlib import Path

import pytest

from tests.fuzz.mutating import mutated
from tests.fuzz.promises import TARGETS, Target

SEEDS = [(target, file) for target in TARGETS.values() for file in sorted(target.seeds.iterdir())]


@pytest.mark.parametrize(("target", "file"), SEEDS, ids=[f"{t.name}-{f.name}" for t, f in SEEDS])
def test_what_comes_from_outside_is_taken_or_refused_in_words(target: Target, file: Path) -> None:
    target.promise(file.read_bytes())


def test_every_target_has_seeds_and_every_folder_of_seeds_a_target() -> None:
    folders = {folder.name for folder in (Path(__file__).parent / "seeds").iterdir()}
    assert folders == TARGETS.keys() == {target.name for target, _ in SEEDS}


def test_a_changed_answer_is_json_still() -> None:
    (seed,) = (
        file for target, file in SEEDS if target.name.startswith("payload") and file.name == "both"
    )
    changed = {mutated(seed.read_bytes(), number, ("tz",)) for number in range(1, 400)}
    assert len(changed) > 300
    for text in changed:
        assert text is not None
        json.loads(text)
