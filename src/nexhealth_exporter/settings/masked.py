"""The configuration in force as text for people, without its secrets."""

import re
from collections.abc import Iterable

from pydantic import SecretStr

from nexhealth_exporter.logs import MASK
from nexhealth_exporter.settings.model import Settings, variable

_PASSWORD = re.compile(r"(?<=://)[^/\s]*@")
_BCRYPT = re.compile(r"\$2[a-z]?\$\d*\$?[./A-Za-z0-9]*")


def masked(
    settings: Settings,
    rules_text: str = "",
    web_config_text: str = "",
    secrets: Iterable[str] = (),
) -> str:
    """The settings as variables, then both files as they are in force; secrets are masked.

    `secrets` are further texts to mask in the files, such as the key that was read from its file.
    """
    lines = [
        f"{variable(name)}={_shown(getattr(settings, name))}" for name in Settings.model_fields
    ]
    parts = ["# Settings", *lines]
    own = () if settings.api_key is None else (settings.api_key.get_secret_value(),)
    hidden = (*own, *secrets)
    for title, text in (("config_file", rules_text), ("web_config_file", web_config_text)):
        if text:
            parts += ["", f"# {variable(title)}", _without_secrets(text, hidden).rstrip("\n")]
    return "\n".join(parts) + "\n"


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, float):
        return f"{value:.15g}"
    return _PASSWORD.sub(f"{MASK}@", str(getattr(value, "pattern", value)))


def _without_secrets(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _BCRYPT.sub(MASK, _PASSWORD.sub(f"{MASK}@", text))
