"""What commands build from the settings and the operator's files."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from nexhealth_exporter import logs, webconfig
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.fleet import Policy
from nexhealth_exporter.model import Institution
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.plan import Pace, shard_of
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.rules import load as load_rules
from nexhealth_exporter.settings import ApiKey, LogLevel, Settings, proxy_to, without_password
from nexhealth_exporter.watch import is_readable_once
from nexhealth_exporter.webconfig import WebConfig


class Files(msgspec.Struct, frozen=True):
    """The parsed files of the operator; both are reloaded while the exporter runs."""

    rules: Rules
    web: WebConfig


def read_files(settings: Settings, before: Files | None = None) -> Files:
    """Read both files. Raises ConfigError that lists everything that is wrong.

    A pipe that was read `before` is not read again: its content stays in force. A file that was
    emptied since then is refused: whoever writes it was interrupted, or the disk was full, and it
    would monitor what was excluded, or serve without a password.
    """
    problems: list[str] = []
    known = before or Files(Rules(), WebConfig())
    rules, web = known.rules, known.web
    try:
        if before is None or not _is_readable_once(settings.config_file):
            rules = load_rules(settings.config_file)
            _must_not_be_emptied(settings.config_file, known.rules.text, rules.text)
    except ConfigError as error:
        problems.append(str(error))
    try:
        if before is None or not _is_readable_once(settings.web_config_file):
            web = webconfig.load(settings.web_config_file)
            _must_not_be_emptied(settings.web_config_file, known.web.text, web.text)
    except ConfigError as error:
        problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return Files(rules, web)


def _must_not_be_emptied(path: Path | None, before: str, now: str) -> None:
    if before.strip() and not now.strip():
        raise ConfigError(f"{path} is empty, but was not before; write {{}} if that is intended.")


def _is_readable_once(path: Path | None) -> bool:
    return path is not None and is_readable_once(path)


def policy_of(settings: Settings, rules: Rules) -> Policy:
    """How marks are judged under these settings and rules."""
    return policy(
        rules,
        Defaults(
            timezone=settings.default_timezone,
            country=settings.default_country,
            stale_after=settings.stale_after_seconds,
            abandoned_after=settings.abandoned_after_seconds,
        ),
    )


def watches(settings: Settings, rules: Rules) -> Callable[[Institution], bool]:
    """Which institutions this process polls: included, monitored, and in its shard."""

    def is_watched(institution: Institution) -> bool:
        return (
            settings.watches(institution.subdomain)
            and rules.monitored(institution)
            and shard_of(institution.subdomain, settings.shards) == settings.shard
        )

    return is_watched


def pace_of(settings: Settings) -> Pace:
    """How often this shard may poll."""
    per_second, per_minute = settings.rates
    return Pace(
        scope=settings.poll_scope,
        interval=settings.poll_interval_seconds,
        inventory_interval=settings.inventory_interval_seconds,
        rate=min(per_second, per_minute / 60),
        budget=settings.api_calls_budget / settings.shards,
    )


def connect(settings: Settings, api_key: ApiKey, own: OwnMetrics) -> NexHealth:
    """The API client, not opened yet. Raises ConfigError for a proxy that cannot be used."""
    return NexHealth(
        settings.api_url,
        api_key,
        version=settings.api_version,
        timeout=settings.api_timeout_seconds,
        max_concurrency=settings.api_max_concurrency,
        pacer=Pacer(*settings.rates),
        meter=own,
        clock=time.time,
        proxy=proxy_to(settings.api_url, os.environ),
    )


def shown_proxy(settings: Settings) -> str | None:
    """The proxy for the API without its password; None for a direct connection."""
    proxy = proxy_to(settings.api_url, os.environ)
    return proxy and without_password(proxy)


def log_warnings(settings: Settings, api_key: ApiKey) -> None:
    """Configure logging for a one-shot command: warnings only, unless a level is set."""
    level = settings.log_level if "log_level" in settings.model_fields_set else LogLevel.WARNING
    logs.configure(level, settings.log_format, secrets=lambda: api_key.known)
