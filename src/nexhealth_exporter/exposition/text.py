"""How the text format is written: label values escaped, lines made by the hundred."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nexhealth_exporter.exposition.table import Family

_numbers = msgspec.json.Encoder()
NULL = b"null"
"""The end of a line that is not to be written."""


def encodable(value: str) -> str:
    """`value` as UTF-8 can hold it: one name that cannot be written must not cost the page."""
    if value.isascii():
        return value
    # As UTF-16 a pair of surrogates is one character, and only those without their other fail.
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def labels(values: Mapping[str, str]) -> bytes:
    """Label pairs without the braces; values escaped."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items()).encode()


def _escaped(value: str) -> str:
    return encodable(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def numbers(values: Sequence[float]) -> list[bytes]:
    """Each number as text, in the fewest digits that read back as the same number."""
    return _numbers.encode(values)[1:-1].split(b",") if values else []


def numbered(
    labelled: Sequence[bytes], values: Sequence[float | None]
) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The label pairs and the number of each line that has a number.

    `values` are as many as `labelled`; None and NaN leave out the line. Booleans
    become 1 or 0, and never stand beside numbers.
    """
    text = _numbers.encode(values)[1:-1]
    if text.startswith((b"true", b"false", NULL)):
        text = text.replace(b"true", b"1").replace(b"false", b"0")
    ends = text.split(b",") if values else []
    if NULL not in text:
        return labelled, ends
    return present(labelled, ends)


def present(
    labelled: Sequence[bytes], ends: Sequence[bytes]
) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The label pairs and the end of each line whose end is not NULL."""
    both = [(pairs, end) for pairs, end in zip(labelled, ends, strict=True) if end != NULL]
    return [pairs for pairs, _ in both], [end for _, end in both]


def heading(family: Family) -> bytes:
    """The HELP and TYPE lines; those of gauges and histograms are the same in both formats."""
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n".encode()


def lines(name: bytes, labelled: Sequence[bytes], tail: bytes, ends: Sequence[bytes]) -> bytes:
    """One line for each of `labelled`: name, its label pairs, the tail, its end.

    `labelled` begin with a brace and are left open; what closes it is in `tail` or the end.
    """
    if not ends:
        return b""
    pieces = [b"\n" + name, b"", tail, b""] * len(ends)
    pieces[0] = name
    pieces[1::4] = labelled
    pieces[3::4] = ends
    pieces.append(b"\n")
    return b"".join(pieces)


def samples(family: Family, values: Iterable[tuple[Mapping[str, str], float]]) -> bytes:
    """The lines of a family that has few of them, heading included."""
    text = [heading(family)]
    for pairs, value in values:
        braces = b"{" + labels(pairs) + b"}" if pairs else b""
        text.append(family.name.encode() + braces + b" " + numbers([value])[0] + b"\n")
    return b"".join(text)
