"""A YAML file that the operator wrote: its values, and the line of each for error messages."""

import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from nexhealth_exporter.errors import ConfigError

YamlNode = Any
"""A node as ruamel.yaml composes it; its `id` is scalar, sequence or mapping."""

Place = tuple[str | int, ...]
"""Where a value stands: the keys and indexes that lead to it."""

DEEPEST = 20
"""Levels of nesting; an alias within its own anchor would never end."""

MOST_VALUES = 500_000

MOST_BYTES = 16 << 20
"""Of a file; a device that was named by mistake has no end."""

_YAML = "tag:yaml.org,2002:"
_ESCAPE = re.compile(r"\\U([0-9A-Fa-f]{8})")
_KINDS = {
    "string_type": "text",
    "bool_type": "true or false, without quotes",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
}


class Problem(NamedTuple):
    """What is wrong with the value at that place, and the remedy, as a predicate of its key."""

    place: Place
    text: str


class Table(BaseModel):
    """A mapping of the file with known keys; errors suggest its `example`, or that of a field.

    `unsupported` are keys of the file's format that are not supported here, with what to do
    instead.
    """

    unsupported: ClassVar[Mapping[str, str]] = {}
    example: ClassVar[str] = ""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


TableT = TypeVar("TableT", bound=Table)


@dataclass(frozen=True, slots=True)
class Document:
    """What the file `name` says, and the line on which each value begins, counted from 1."""

    name: str
    value: dict[str, Any]
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of that place, or of the innermost place around it that has one."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        """All problems as one error, in the order of their lines."""
        ordered = sorted(problems, key=lambda problem: self.line(problem.place))
        return ConfigError("\n".join(self._sentence(problem) for problem in ordered))

    def _sentence(self, problem: Problem) -> str:
        end = "" if problem.text.endswith("?") else "."
        shown = dotted(problem.place)
        words = f"{shown} {problem.text}" if shown else problem.text
        # A quoted value may have several lines, but the error is one.
        words = words.replace("\n", r"\n")
        return f"{self.name}:{self.line(problem.place)}: {words}{end}"

    def read_as(self, model: type[TableT]) -> TableT:
        """The values as that table. Raises ConfigError that lists everything that is wrong."""
        try:
            return model.model_validate(self.value)
        except ValidationError as e:
            errors = e.errors(include_url=False, include_input=False)
            raise self.error(_problem(model, error) for error in errors) from None


def read_text(path: Path) -> str:
    """The file's text. Raises ConfigError when it cannot be read."""
    try:
        with path.open("rb") as file:
            read = file.read(MOST_BYTES + 1)
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}.") from None
    if len(read) > MOST_BYTES:
        raise ConfigError(f"{path} is larger than {MOST_BYTES >> 20} MiB.")
    try:
        return read.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8.") from None


def parse(text: str, name: str) -> Document:
    """The document, which must be a mapping; an empty one is an empty mapping.

    YAML 1.2, so that 08:00 and no are text. Raises ConfigError for bad syntax, duplicate keys and
    keys without a value.
    """
    # Imported late: it takes long, and most exporters start without a file.
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.composer import MaxDepthExceededError  # noqa: PLC0415
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.max_depth = DEEPEST
        node = yaml.compose(text)
    except MaxDepthExceededError as e:
        raise _too_much(name, _line_of(e.problem_mark)) from None
    except MarkedYAMLError as e:
        what = ", ".join(part for part in (e.context, e.problem) if part)
        raise ConfigError(
            f"{name}:{_line_of(e.problem_mark)}: is not YAML: {what}; check indentation and quotes."
        ) from None
    except YAMLError as e:
        raise ConfigError(f"{name}: is not YAML: {str(e).splitlines()[0]}.") from None
    except (AssertionError, ValueError, OverflowError):
        raise _meaningless(text, name) from None
    reading = _Reading(name)
    value = {} if node is None else reading.value(node, (), 1)
    document = Document(name, value if isinstance(value, dict) else {}, {(): 1} | reading.lines)
    if not isinstance(value, dict):
        raise document.error([Problem((), "the file must be a mapping of keys to values")])
    if reading.problems:
        raise document.error(reading.problems)
    return document


def _line_of(mark: Any) -> int:  # noqa: ANN401 - a mark of ruamel.yaml, or None
    return int(mark.line) + 1 if mark else 1


def _meaningless(text: str, name: str) -> ConfigError:
    """The error where the parser gives no reason: an invalid character or YAML version."""
    escapes = (found for found in _ESCAPE.finditer(text) if int(found[1], 16) > sys.maxunicode)
    escape = next(escapes, None)
    at = text.find("%YAML") if escape is None else escape.start()
    what = "names an unknown version of YAML; remove the line"
    if escape is not None:
        what = "has an escape that is no character; write the character itself"
    return ConfigError(f"{name}:{1 + text[:at].count(chr(10))}: {what}.")


def _too_much(name: str, line: int) -> ConfigError:
    return ConfigError(f"{name}:{line}: is nested too deeply, or holds too much.")


def dotted(place: Place) -> str:
    """A place as people write it: `institutions[0].match`."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return words.removeprefix(".")


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for a misspelt word: the nearest known one, else what else to do."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else otherwise


class _Reading:
    """One walk through the nodes that collects values, lines and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: YamlNode, place: Place, line: int) -> Any:  # noqa: ANN401 - what YAML holds
        self.lines[place] = line
        if len(place) > DEEPEST or len(self.lines) > MOST_VALUES:
            raise _too_much(self.name, line)
        if node.id == "mapping":
            return dict(self._pairs(node, place))
        if node.id == "sequence":
            return [self.value(item, (*place, i), _line(item)) for i, item in enumerate(node.value)]
        return self._scalar(node, place, str(node.tag).removeprefix(_YAML))

    def _pairs(self, node: YamlNode, place: Place) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = _whole(str(key.value)), _line(key)
            if key.id != "scalar" or key.tag == _YAML + "merge":
                self.lines[(*place, "<<")] = line
                self._wrong((*place, "<<"), "is not a plain key; write out the keys that it means")
                continue
            if name in seen:
                self._wrong((*place, name), f"is given again on line {line}; keep one")
                continue
            seen[name] = line
            yield name, self.value(value, (*place, name), line)

    def _scalar(self, node: YamlNode, place: Place, kind: str) -> Any:  # noqa: ANN401
        text = _whole(str(node.value))
        if any(map(_is_half, text)):
            self._wrong(place, "has half of a character; write the whole one")
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return _number(text, _integer)
        if kind == "null":
            if place:
                self._wrong(place, "has no value; write one, or remove the key")
            return {} if not place else ""
        if kind == "float":
            return text if "." not in text.strip(".") else _number(text, float)
        if kind not in {"str", "timestamp"}:
            self._wrong(place, f"has the tag {node.tag}; write a plain value")
        return text

    def _wrong(self, place: Place, text: str) -> None:
        self.problems.append(Problem(place, text))


def _whole(text: str) -> str:
    """The text with surrogate pairs, as JSON escapes write them, joined to characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _is_half(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _line(node: YamlNode) -> int:
    return _line_of(node.start_mark)


def _number(text: str, read: Callable[[str], float]) -> float | str:
    """The number, or the text itself if it is tagged as a number but is none."""
    try:
        return read(text.replace("_", ""))
    except ValueError:
        return text


def _integer(digits: str) -> int:
    try:
        return int(digits, 0)
    except ValueError:
        return int(digits)


def _problem(model: type[Table], error: ErrorDetails) -> Problem:
    place = tuple(part for part in error["loc"] if part != "[key]")
    kind = str(error["type"])
    if kind == "extra_forbidden":
        table, _ = _at(model, place[:-1])
        if table and place[-1] in table.unsupported:
            return Problem(place, f"is not supported; {table.unsupported[str(place[-1])]}")
        known = list(table.model_fields) if table else []
        remedy = did_you_mean(str(place[-1]), known, f"the keys here are {', '.join(known)}")
        return Problem(place, f"is not a key here; {remedy}")
    if kind == "missing":
        _, field = _at(model, place)
        example = field.examples[0] if field and field.examples else ".."
        return Problem(place[:-1], f"lacks {place[-1]}; write {place[-1]}: {example}")
    if kind in _KINDS:
        table, field = _at(model, place)
        example = f", such as {table.example}" if table and table.example else _such_as(field)
        if kind == "string_type" and not example:
            example = "; put it in quotes"
        return Problem(place, f"must be {_KINDS[kind]}{example}")
    return Problem(place, str(error.get("ctx", {}).get("error", error["msg"])))


def _such_as(field: FieldInfo | None) -> str:
    return f", such as {field.examples[0]}" if field and field.examples else ""


def _at(model: type[Table], place: Place) -> tuple[type[Table] | None, FieldInfo | None]:
    """The table and the field at that place of the model; None where it has none."""
    table: type[Table] | None = model
    field: FieldInfo | None = None
    inside: Any = model
    for part in place:
        if table is not None:
            field = table.model_fields.get(str(part))
            inside = field.annotation if field else None
        else:
            # Within a list or mapping: its items are of the last type argument.
            inside = get_args(_given(inside))[-1] if get_args(_given(inside)) else None
            field = None
        inside = _given(inside)
        table = inside if isinstance(inside, type) and issubclass(inside, Table) else None
    return table, field


def _given(annotation: Any) -> Any:  # noqa: ANN401 - a type expression
    """The type expression without `| None`."""
    if get_origin(annotation) in {Union, UnionType}:
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation
