"""Every setting, with its default and its description."""

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nexhealth_exporter.plan import STALE_INTERVALS, Scope
from nexhealth_exporter.settings import values
from nexhealth_exporter.settings.values import Exposition, ListenAddress, LogFormat, LogLevel

PREFIX = "NEXHEALTH_EXPORTER_"

DAY = 86400.0

Seconds = Annotated[float, BeforeValidator(values.seconds)]
Count = Annotated[int, BeforeValidator(values.count)]
Positive = Annotated[int, BeforeValidator(values.positive)]
Url = Annotated[str, BeforeValidator(values.url)]
UrlWithCredentials = Annotated[str, BeforeValidator(values.url_with_credentials)]
Pattern = Annotated[re.Pattern[str], BeforeValidator(values.pattern)]
File = Annotated[Path, BeforeValidator(values.path)]


class Rates(NamedTuple):
    """How many calls this process may make in any second and in any minute."""

    per_second: int
    per_minute: int


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def is_secret(field: FieldInfo) -> bool:
    """True for a setting without a flag, because flags can be seen in the process list."""
    return SecretStr in get_args(field.annotation)


def _set(default: object, metavar: str, description: str) -> Any:  # noqa: ANN401 - as Field
    return Field(default, description=description, json_schema_extra={"metavar": metavar})


def _three_intervals_or(least: float, given: dict[str, Any]) -> float:
    interval = float(given.get("poll_interval_seconds", 0))
    return max(least, STALE_INTERVALS * interval)


class Settings(BaseSettings):
    """The settings in force. Durations are seconds; None stands for what is not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    api_key: Annotated[SecretStr | None, BeforeValidator(values.key)] = _set(
        None, "KEY", "The key of the NexHealth API. `serve` requires only this, or its file."
    )
    api_key_file: File | None = _set(
        None,
        "FILE",
        "A file that contains the key instead; it is read again when it changes.",
    )
    api_url: Url = _set("https://nexhealth.info", "URL", "The URL of the NexHealth API.")
    api_version: Annotated[str, BeforeValidator(values.header_word)] = _set(
        "v3.0.0", "VERSION", "The API's version, sent as `Nex-Api-Version`."
    )
    api_timeout_seconds: Seconds = _set(
        10.0,
        "SECONDS",
        "Time limit for connecting, for each pause while reading, and for a whole call for one "
        "institution. It does not limit the whole of a large answer.",
    )
    api_max_concurrency: Positive = _set(50, "N", "The maximum number of concurrent calls.")
    api_requests_per_second: Positive = _set(
        50,
        "N",
        "The maximum number of calls in any second, for all shards together. The default is half "
        "of what NexHealth allows, because your own product uses the same key.",
    )
    api_requests_per_minute: Positive = _set(
        1000, "N", "The maximum number of calls in any minute, for all shards together."
    )
    api_calls_budget: Count = _set(
        30000,
        "N",
        "The maximum number of calls in 30 days; 0 is unlimited. 30,000 are reported to be free. "
        "If you choose a scope that costs more, the exporter keeps the scope and logs a warning.",
    )
    poll_scope: Annotated[Scope, BeforeValidator(values.lowered)] = _set(
        Scope.AUTO,
        "SCOPE",
        "`institution`: one call per institution. `fleet`: one call for all of them. `auto`: "
        "`institution` while that fits the budget, else `fleet`; only `auto` keeps to the budget.",
    )
    poll_interval_seconds: Seconds = _set(
        300.0,
        "SECONDS",
        "How often every institution is polled. If a round does not fit, the interval is "
        "stretched.",
    )
    inventory_interval_seconds: Seconds = _set(
        3600.0,
        "SECONDS",
        "How often institutions and locations are listed, with their names and time zones.",
    )
    stale_after_seconds: Seconds = Field(
        default_factory=lambda given: _three_intervals_or(DAY, given),
        description="How long the last known answer is served while polls fail, so that an outage "
        "of the API does not resolve open pages. At least 3 poll intervals, which is also the "
        "default if that is longer.",
        json_schema_extra={"metavar": "SECONDS"},
    )
    abandoned_after_seconds: Seconds = _set(
        30 * DAY,
        "SECONDS",
        "A sync whose marks are both older than this counts as abandoned and is not evaluated.",
    )
    include: Pattern | None = _set(
        None, "REGEX", "Watch only institutions whose whole subdomain matches."
    )
    exclude: Pattern | None = _set(
        None, "REGEX", "Do not watch institutions whose whole subdomain matches."
    )
    default_timezone: Annotated[str, BeforeValidator(values.timezone)] = _set(
        "America/New_York", "ZONE", "The time zone of an office without a usable one of its own."
    )
    default_country: Annotated[str, BeforeValidator(values.country)] = _set(
        "US", "CODE", "The country, for holidays, of an office that has none."
    )
    shard: Count = _set(
        0, "N", "The part of the institutions that this process watches, counted from 0."
    )
    shards: Positive = _set(1, "N", "The number of parts into which the institutions are divided.")
    state_file: File | None = _set(
        None,
        "FILE",
        "The SQLite database for learned state and for the last answers. Without it, both are "
        "kept only in memory.",
    )
    prometheus_url: UrlWithCredentials | None = Field(
        None,
        description="A Prometheus to learn from at startup if the state is empty. A URL with a "
        "password can be set only by environment variable.",
        json_schema_extra={"metavar": "URL"},
        repr=False,
    )
    prometheus_tenant: Annotated[str | None, BeforeValidator(values.header_word)] = _set(
        None,
        "TENANT",
        "The tenant to read from there, sent as `X-Scope-OrgID`, if it is a Mimir with several.",
    )
    config_file: File | None = _set(
        None, "FILE", "The YAML file of schedules, institutions and closures."
    )
    web_config_file: File | None = _set(
        None, "FILE", "TLS and basic auth, in the file format of Prometheus' exporters."
    )
    listen_address: Annotated[ListenAddress, BeforeValidator(values.listen_address)] = _set(
        ListenAddress("0.0.0.0", 10639),  # noqa: S104 - a container is reached from outside
        "HOST:PORT",
        "The address at which pages and metrics are served. `:10639` is both IPv4 and IPv6. "
        "Port 0 takes any free port.",
    )
    external_url: Url | None = _set(
        None, "URL", "The URL at which people reach this exporter, used for links."
    )
    log_level: Annotated[LogLevel, BeforeValidator(values.lowered)] = _set(
        LogLevel.INFO, "LEVEL", "`debug`, `info`, `warning` or `error`."
    )
    log_format: Annotated[LogFormat, BeforeValidator(values.lowered)] = _set(
        LogFormat.LOGFMT, "FORMAT", "`logfmt` or `json`."
    )
    exposition: Annotated[Exposition, BeforeValidator(values.lowered)] = _set(
        Exposition.FAST,
        "WAY",
        "`fast`, or `reference`: prometheus-client writes the same samples one by one, to find "
        "the source of a doubtful one. Slow; only for diagnosis.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is given
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,  # noqa: ARG003
        **named: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only what is passed in: `load` reads the environment, itself an argument."""
        return (init_settings,)

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        contradictions = [*self._keys(), *self._files(), *self._times(), *self._shares()]
        if contradictions:
            raise ValueError("\n".join(contradictions))
        return self

    def _keys(self) -> list[str]:
        if self.api_key is None or self.api_key_file is None:
            return []
        return [f"{variable('api_key')} and {variable('api_key_file')} are both set; keep one."]

    def _files(self) -> list[str]:
        """Whatever is not a database is taken for a damaged one, and moved out of the way."""
        if self.state_file is None:
            return []
        others = ("api_key_file", "config_file", "web_config_file")
        return [
            f"{variable('state_file')} and {variable(other)} are the same file; "
            "give the state a file of its own."
            for other in others
            if getattr(self, other) == self.state_file
        ]

    def _times(self) -> list[str]:
        least = STALE_INTERVALS * self.poll_interval_seconds
        if self.stale_after_seconds >= least:
            return []
        name, interval = variable("stale_after_seconds"), variable("poll_interval_seconds")
        return [
            f"{name} must be at least 3 intervals, here {least:.0f}; raise it, or lower {interval}."
        ]

    def _shares(self) -> list[str]:
        wrong = []
        if self.shard >= self.shards:
            wrong.append(
                f"{variable('shard')} must be lower than {variable('shards')}, which is "
                f"{self.shards}; shards are counted from 0."
            )
        wrong += [
            f"{variable('shards')} must not be more than {variable(name)}, which is {rate}; "
            "each shard needs a call of its own."
            for name in ("api_requests_per_second", "api_requests_per_minute")
            if self.shards > (rate := getattr(self, name))
        ]
        return wrong

    @property
    def rates(self) -> Rates:
        """The part of the rates for this shard; all parts add up to the whole."""
        return Rates(
            self._part(self.api_requests_per_second), self._part(self.api_requests_per_minute)
        )

    def _part(self, whole: int) -> int:
        return whole // self.shards + (self.shard < whole % self.shards)

    def watches(self, subdomain: str) -> bool:
        """Whether include and exclude let this institution pass; the shard does not matter."""
        if self.include is not None and not self.include.fullmatch(subdomain):
            return False
        return self.exclude is None or not self.exclude.fullmatch(subdomain)
