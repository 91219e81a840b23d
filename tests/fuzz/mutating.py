"""Changes of a JSON text that leave it JSON: decoders written in C show the fuzzer no way in."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, -(2**63), 0.5, -0.0, 1e308, "", " ", "0"),
    *("\x00", "\x1b[2J", "\u202e", "\u2028", "\U0001f600", "x" * 300, "<b>", '"', "\\", "\n"),
    *([], {}, [[]], [{}], {"": None}, {"id": 1}),
)


def mutated(data: bytes, seed: int, words: Sequence[str]) -> bytes | None:
    """Another text, or the same of the lines of one; None if there is no JSON in it."""
    draw = random.Random(seed)
    lines = data.splitlines() or [b""]
    chosen = draw.randrange(len(lines))
    try:
        told = [json.loads(lines[chosen])]
    except (ValueError, RecursionError):
        return None
    for _ in range(draw.randint(1, 3)):
        _change(draw, told, words)
    lines[chosen] = json.dumps(told[0], ensure_ascii=draw.random() < 0.5).encode(
        errors="surrogatepass"
    )
    return b"\n".join(lines)


def _change(draw: random.Random, told: list[Any], words: Sequence[str]) -> None:
    """Replace, copy, drop or move one value somewhere inside."""
    places = list(_places(told))
    holder, key = draw.choice(places)
    somewhere, there = draw.choice(places)
    # A copy: a value within itself would never end.
    value = deepcopy(draw.choice([*STRANGE, *words, somewhere[there], somewhere[there]]))
    changes: list[Callable[[], object]] = [lambda: holder.__setitem__(key, value)] * 3
    if isinstance(holder, list) and holder is not told:
        changes += [lambda: holder.insert(key, value), lambda: holder.pop(key)]
        changes.append(lambda: holder.append(deepcopy(holder[key])))
    if isinstance(holder, dict):
        changes.append(lambda: holder.__setitem__(draw.choice(words or (key,)), holder.pop(key)))
    if isinstance(holder[key], str):
        at = draw.randint(0, len(holder[key]))
        piece = draw.choice([str(each) for each in (*STRANGE, *words)])
        changes.append(lambda: holder.__setitem__(key, holder[key][:at] + piece + holder[key][at:]))
    draw.choice(changes)()


def _places(told: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a JSON tree, as what holds it and its key or index there."""
    queue = [told]
    while queue:
        holder = queue.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            yield holder, key
            if isinstance(value, dict | list):
                queue.append(value)
