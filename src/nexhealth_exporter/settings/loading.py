"""From environment and flags to settings; a flag wins over a variable."""

import argparse
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings.model import PREFIX, Settings, flag, is_secret, variable
from nexhealth_exporter.settings.table import default_text

# What Kubernetes sets in every pod of a namespace for a Service named nexhealth-exporter or
# nexhealth-exporter-anything. Its PORT is an address: PORT=9000 is a mistake of the operator.
_INJECTED = re.compile(
    r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR))"
)
_PORT = re.compile(r"(?:\w+_)?PORT(?:_\d+_(?:TCP|UDP|SCTP))?")
_PORT_VALUE = re.compile(r"(?:tcp|udp|sctp)://.*", re.IGNORECASE)


def load(overrides: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings; `overrides` are those given as flags, by field name.

    An empty text counts as not set. Raises ConfigError with one line for each thing that is
    wrong; no line shows a value.
    """
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in environ.items() if value}
    given: dict[str, Any] = source()
    if overrides.get("api_key_file"):
        given.pop("api_key", None)
    given |= overrides
    given = {name: value for name, value in given.items() if value != ""}
    problems = [*_unknown(environ), *_passwords_in_flags(overrides)]
    try:
        settings = Settings(**given)
    except ValidationError as e:
        problems += _sentences(e, overrides)
        raise ConfigError("\n".join(problems)) from None
    problems += _shard_without_number(settings, environ)
    if problems:
        raise ConfigError("\n".join(problems))
    return settings


def add_arguments(
    parser: argparse.ArgumentParser, fixed: Mapping[str, str | None] | None = None
) -> None:
    """Give the parser a flag for each setting that is not a secret.

    `fixed` is for a command that ignores the environment: its own defaults by field name, None
    for a setting that cannot be given at all.
    """
    group = parser.add_argument_group(
        "settings",
        "Each is also an environment variable; the flag wins."
        if fixed is None
        else "Environment variables are ignored: they may hold a real key.",
    )
    for name, field in Settings.model_fields.items():
        default = default_text(field) if fixed is None else fixed.get(name, default_text(field))
        if is_secret(field) or default is None:
            continue
        extra = field.json_schema_extra
        notes = [
            *([variable(name)] if fixed is None else []),
            *([f"default {default}"] if default else []),
        ]
        words = [
            (field.description or "").replace("`", "").replace("%", "%%"),
            f"[{', '.join(notes)}]" if notes else "",
        ]
        group.add_argument(
            flag(name),
            dest=name,
            default=argparse.SUPPRESS,
            metavar=str(extra["metavar"]) if isinstance(extra, dict) else None,
            help=" ".join(words).rstrip(),
        )


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given as flags, for `load`."""
    return {name: value for name, value in vars(arguments).items() if name in Settings.model_fields}


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = [variable(name) for name in Settings.model_fields]
    names = sorted(name for name in environ if name.upper().startswith(PREFIX))
    return [
        f"{name} is not a setting; {_remedy(name, known)}"
        for name in names
        if name.upper() not in known and not _is_injected(name.upper(), environ[name])
    ]


def _shard_without_number(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """An empty shard number, as from a pod label that is missing, must not count as shard 0."""
    name = variable("shard")
    is_given = settings.shards == 1 or "shard" in settings.model_fields_set
    if is_given or environ.get(name) != "":
        return []
    return [f"{name} is empty, and there are {settings.shards} shards; give it a number from 0."]


def _remedy(name: str, known: list[str]) -> str:
    # Imported late, to keep the start fast: only a mistake needs it.
    import difflib  # noqa: PLC0415

    # Without the common prefix, which would make every name similar to every other.
    words = {one.removeprefix(PREFIX): one for one in known}
    close = difflib.get_close_matches(name.upper().removeprefix(PREFIX), words, n=1, cutoff=0.5)
    return f"did you mean {words[close[0]]}?" if close else "remove it."


def _is_injected(name: str, value: str) -> bool:
    rest = name.removeprefix(PREFIX)
    if _INJECTED.fullmatch(rest):
        return True
    return bool(_PORT.fullmatch(rest) and _PORT_VALUE.fullmatch(value))


def _passwords_in_flags(overrides: Mapping[str, Any]) -> list[str]:
    name = "prometheus_url"
    try:
        holds_password = urlsplit(str(overrides.get(name, ""))).username is not None
    except ValueError:
        holds_password = False  # an invalid address, for which there is an error of its own
    if not holds_password:
        return []
    reason = "must not contain a password, which the process list would show"
    return [f"{flag(name)} {reason}; set {variable(name)} instead."]


def _sentences(errors: ValidationError, overrides: Mapping[str, Any]) -> list[str]:
    sentences: list[str] = []
    for error in errors.errors(include_url=False, include_input=False):
        if error["type"] == "default_factory_not_called":
            # A default that depends on another setting, for which there is an error of its own.
            continue
        if not error["loc"]:
            sentences += str(error["ctx"]["error"]).splitlines()
            continue
        name = str(error["loc"][0])
        shown = flag(name) if name in overrides else variable(name)
        text = _text(error)
        sentences.append(f"{shown} {text}" if text.endswith("?") else f"{shown} {text}.")
    return sentences


def _text(error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    if error["type"] == "enum":
        return f"must be {error['ctx']['expected'].replace(chr(39), '')}"
    return str(error["ctx"]["error"])
