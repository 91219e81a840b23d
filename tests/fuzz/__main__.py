"""Fuzz every target: `python -m tests.fuzz [--seconds S] [TARGET ...]`.

Each gets so many seconds. What is found along the way is kept in `.fuzz/` and built on next time;
an input that breaks a promise is left there too, and fails the run. `--file` tries one again.
"""

import argparse
import importlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.fuzz.mutating import mutated

if TYPE_CHECKING:
    from tests.fuzz.promises import Target

KEPT = Path(__file__).resolve().parents[2] / ".fuzz"

LONGEST = 4096
"""Bytes of an input."""

SLOWEST = 60
"""Seconds after which an input counts as one that never ends; other work may share the machine."""

MEMORY = 1024
"""MiB that a target may use."""

LONG = 30
"""From so many seconds on it pays to trace the YAML parser too: preparing that takes some."""

_EXECUTED = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.MULTILINE)
_CHATTER = re.compile(r"^(INFO|WARNING|#\d+|0x|stat:).*\n", re.MULTILINE)


def main() -> int:
    """Fuzz, and tell how much was tried; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120, help="for each target [120]")
    parser.add_argument("--workers", type=int, default=2, help="targets at a time [2]")
    parser.add_argument("--file", type=Path, help="try this one input, without the fuzzer")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all, if none is named")
    asked = parser.parse_args()
    if asked.file is None and importlib.util.find_spec("atheris") is None:
        print("No fuzzing here: atheris has wheels for Linux on x86_64 only.")
        return int(bool(os.environ.get("CI")))
    known = _known() if asked.file else _traced(with_parsers=asked.seconds >= LONG)
    chosen = [known[name] for name in asked.targets or known]
    if asked.file:
        for target in chosen:
            target.promise(asked.file.read_bytes())
        return 0
    return int(not all(_fuzzed(chosen, asked.seconds, asked.workers)))


def _known() -> "Mapping[str, Target]":
    known: Mapping[str, Target] = importlib.import_module("tests.fuzz.promises").TARGETS
    return known


def _traced(*, with_parsers: bool) -> "Mapping[str, Target]":
    """The targets, loaded so that the fuzzer sees which lines an input reaches."""
    import atheris  # noqa: PLC0415 - not everywhere

    ours = ["nexhealth_exporter", *(["ruamel.yaml"] if with_parsers else [])]
    with atheris.instrument_imports(include=ours):
        return _known()


def _fuzzed(targets: "Sequence[Target]", seconds: int, workers: int) -> list[bool]:
    """Each in a process of its own, which libFuzzer ends; whether its promise held."""
    held: list[bool] = []
    running: dict[int, tuple[Target, IO[str]]] = {}
    for number, target in enumerate(targets, 1):
        said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed when told
        sys.stdout.flush()
        process = os.fork()
        if not process:
            _fuzz(target, seconds, said.fileno())
        running[process] = (target, said)
        while running and (len(running) >= workers or number == len(targets)):
            ended, status = os.wait()
            held.append(_told(*running.pop(ended), is_good=status == 0))
    return held


def _fuzz(target: "Target", seconds: int, output: int) -> None:
    """Hand this process over to libFuzzer."""
    import atheris  # noqa: PLC0415

    os.dup2(output, 1)
    os.dup2(output, 2)
    kept = KEPT / target.name
    corpus = kept / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(kept)  # libFuzzer ends the process without clearing up
    words = kept / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        found = mutated(data, seed, target.words) if seed % 2 else None
        return found[:most] if found is not None else bytes(atheris.Mutate(data, most))

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-dict={words}",
        f"-artifact_prefix={kept}/broken-",
        "-print_final_stats=1",
        str(corpus),  # the first folder is where libFuzzer writes
        str(target.seeds),
    ]
    atheris.Setup([target.name, *options], target.promise, custom_mutator=mutate)
    atheris.Fuzz()


def _told(target: "Target", output: IO[str], *, is_good: bool) -> bool:
    with output:
        output.seek(0)
        said = output.read()
    tried = _EXECUTED.search(said)
    print(f"{target.name}: {tried[1] if tried else 'no'} inputs tried", flush=True)
    if is_good and tried:
        return True
    print(_CHATTER.sub("", said)[-6000:], flush=True)
    return False


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    sys.exit(main())
