"""Random numbers as pure functions of a seed, so that they can be drawn in any order."""

import struct
from hashlib import blake2b

_MASK = (1 << 64) - 1
_UNIT = 1.0 / (1 << 64)
_SIXTEEN = struct.Struct("<16I")
_WORD = 1.0 / (1 << 32)


def subseed(seed: int, *labels: object) -> int:
    """A seed of 64 bits that belongs to `labels` under `seed`."""
    text = "|".join(map(str, (seed, *labels)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def sixteen(seed: int, label: str, number: int) -> list[float]:
    """Sixteen independent uniform numbers in [0, 1) for the `number`-th thing of that name."""
    raw = blake2b(b"%d|%b|%d" % (seed, label.encode(), number), digest_size=64).digest()
    return [word * _WORD for word in _SIXTEEN.unpack(raw)]


def uniform(seed: int, number: int) -> float:
    """One uniform number in [0, 1) for the `number`-th cell; splitmix64, a microsecond."""
    x = (seed + number * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) * _UNIT
