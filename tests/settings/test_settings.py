"""From environment and flags to settings."""

import argparse
from pathlib import Path

import pytest

from nexhealth_exporter import settings
from nexhealth_exporter.cli import main
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.plan import Scope
from nexhealth_exporter.settings import ListenAddress, Settings

PREFIX = "NEXHEALTH_EXPORTER_"


def load(*arguments: str, **environ: str) -> Settings:
    """Settings from flags, and from variables named without their prefix."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    settings.add_arguments(parser)
    flags = settings.overrides(parser.parse_args(arguments))
    return settings.load(flags, {PREFIX + name: value for name, value in environ.items()})


def refusal(*arguments: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(*arguments, **environ)
    return str(refused.value).splitlines()


def test_nothing_has_to_be_set() -> None:
    default = load()
    assert default.api_key is None
    assert default.api_url == "https://nexhealth.info"
    assert default.api_version == "v3.0.0"
    assert default.api_timeout_seconds == 10
    assert default.api_max_concurrency == 50
    assert default.api_requests_per_second == 50
    assert default.api_requests_per_minute == 1000
    assert default.api_calls_budget == 30000
    assert default.poll_scope is Scope.AUTO
    assert default.poll_interval_seconds == 300
    assert default.inventory_interval_seconds == 3600
    assert default.stale_after_seconds == 86400
    assert default.abandoned_after_seconds == 2592000
    assert (default.default_timezone, default.default_country) == ("America/New_York", "US")
    assert (default.shard, default.shards) == (0, 1)
    assert default.listen_address == ListenAddress("0.0.0.0", 10639)  # noqa: S104
    assert (default.log_level, default.log_format) == ("info", "logfmt")
    assert default.exposition == "fast"
    unset = (
        "include",
        "exclude",
        "state_file",
        "prometheus_url",
        "config_file",
        "web_config_file",
        "external_url",
        "api_key_file",
    )
    assert [getattr(default, name) for name in unset] == [None] * len(unset)


def test_a_variable_sets_and_a_flag_wins_over_it() -> None:
    assert load(POLL_INTERVAL_SECONDS="60").poll_interval_seconds == 60
    assert (
        load("--poll-interval-seconds", "30", POLL_INTERVAL_SECONDS="60").poll_interval_seconds
        == 30
    )


def test_an_empty_text_counts_as_not_set() -> None:
    assert load(POLL_SCOPE="", STATE_FILE="").state_file is None
    assert load("--state-file", "", STATE_FILE="state.db").state_file is None


@pytest.mark.parametrize(("text", "seconds"), [("1", 1), ("2.5", 2.5), ("86400", 86400)])
def test_durations_may_be_as_short_as_a_second(text: str, seconds: float) -> None:
    assert load(POLL_INTERVAL_SECONDS=text).poll_interval_seconds == seconds
    assert load(API_TIMEOUT_SECONDS=text).api_timeout_seconds == seconds


def test_words_may_be_written_in_capitals() -> None:
    assert load(LOG_LEVEL="INFO", POLL_SCOPE="Fleet").poll_scope is Scope.FLEET


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("localhost:0", "localhost", 0),
        ("[::1]:10639", "::1", 10639),
        (":10639", None, 10639),
    ],
)
def test_the_address_has_a_host_or_none_and_a_port(text: str, host: str | None, port: int) -> None:
    address = load(LISTEN_ADDRESS=text).listen_address
    assert address == ListenAddress(host, port)
    assert str(address) == text


def test_include_and_exclude_look_at_the_whole_subdomain() -> None:
    some = load(INCLUDE="smile-.*|molars", EXCLUDE=".*-test")
    watched = ["smile-east", "molars", "molars2", "old-smile-east", "smile-test"]
    assert [name for name in watched if some.watches(name)] == ["smile-east", "molars"]


def test_the_parts_of_all_shards_add_up_to_the_rates_of_the_key() -> None:
    parts = [load(SHARD=str(n), SHARDS="3").rates for n in range(3)]
    assert sum(rates.per_second for rates in parts) == 50
    assert sum(rates.per_minute for rates in parts) == 1000
    assert {rates.per_minute for rates in parts} == {333, 334}


def test_three_long_intervals_are_longer_than_a_day() -> None:
    assert load(POLL_INTERVAL_SECONDS="43200").stale_after_seconds == 3 * 43200


OWN = "each shard needs a call of its own."
INTERVAL = f"{PREFIX}POLL_INTERVAL_SECONDS"
SECONDS = "must be a number of seconds from 1 to a year, such as 300."


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("API_KEY", "  ", "is empty; put the key of the NexHealth developer portal there."),
        (
            "API_KEY",
            "two words",
            "contains spaces or characters that no key has; copy the key again.",
        ),
        ("API_KEY_FILE", "a\0b", "must be the path of a file."),
        (
            "API_URL",
            "nexhealth.info",
            "must be an http or https address, such as https://nexhealth.info.",
        ),
        (
            "API_URL",
            "ftp://nexhealth.info",
            "must be an http or https address, such as https://nexhealth.info.",
        ),
        ("API_URL", "https://user:secret@nexhealth.info", "must not contain a user or password."),
        ("API_URL", "https://nexhealth.info:port", "is not an address; check host and port."),
        ("API_URL", "https://nexhealth..info", "is not an address; check host and port."),
        ("PROMETHEUS_URL", f"http://{'p' * 64}:9090", "is not an address; check host and port."),
        ("API_URL", "https://nexhealth.info/?a=1", "must be an address without ? and #."),
        ("API_VERSION", "v3 .0", "must be one word, such as v3.0.0."),
        ("API_TIMEOUT_SECONDS", "0.5", SECONDS),
        ("API_MAX_CONCURRENCY", "0", "must be at least 1."),
        ("API_REQUESTS_PER_SECOND", "many", "must be a whole number, such as 50."),
        ("API_REQUESTS_PER_MINUTE", "1.5", "must be a whole number, such as 50."),
        ("API_CALLS_BUDGET", "-1", "must be a whole number, such as 50."),
        ("POLL_SCOPE", "all", "must be auto, institution or fleet."),
        ("POLL_INTERVAL_SECONDS", "5m", SECONDS),
        ("POLL_INTERVAL_SECONDS", "nan", SECONDS),
        ("INVENTORY_INTERVAL_SECONDS", "0", SECONDS),
        ("ABANDONED_AFTER_SECONDS", "inf", SECONDS),
        (
            "INCLUDE",
            "smile-(",
            "is not a regular expression: missing ), unterminated subpattern at position 6.",
        ),
        ("EXCLUDE", "*", "is not a regular expression: nothing to repeat at position 0."),
        ("INCLUDE", 5000 * "(", "is not a regular expression: it is nested too deeply."),
        (
            "INCLUDE",
            "a{99999999999}",
            "is not a regular expression: the repetition number is too large.",
        ),
        (
            "DEFAULT_TIMEZONE",
            "America/NewYork",
            "is not a time zone; did you mean America/New_York?",
        ),
        (
            "DEFAULT_COUNTRY",
            "Utopia",
            "is not a country with known holidays; write its code, such as US.",
        ),
        ("SHARD", "-1", "must be a whole number, such as 50."),
        (
            "SHARD",
            "1",
            "must be lower than NEXHEALTH_EXPORTER_SHARDS, which is 1; shards are counted from 0.",
        ),
        (
            "SHARDS",
            "51",
            f"must not be more than {PREFIX}API_REQUESTS_PER_SECOND, which is 50; {OWN}",
        ),
        (
            "STALE_AFTER_SECONDS",
            "600",
            f"must be at least 3 intervals, here 900; raise it, or lower {INTERVAL}.",
        ),
        (
            "PROMETHEUS_URL",
            "prometheus:9090",
            "must be an http or https address, such as https://nexhealth.info.",
        ),
        (
            "LISTEN_ADDRESS",
            "10639",
            "must be host:port, such as 0.0.0.0:10639, [::1]:10639 or :10639.",
        ),
        (
            "LISTEN_ADDRESS",
            "::1:10639",
            "must be host:port, such as 0.0.0.0:10639, [::1]:10639 or :10639.",
        ),
        (
            "LISTEN_ADDRESS",
            "local..host:10639",
            "must be host:port, such as 0.0.0.0:10639, [::1]:10639 or :10639.",
        ),
        (
            "LISTEN_ADDRESS",
            "localhost:65536",
            "must be host:port, such as 0.0.0.0:10639, [::1]:10639 or :10639.",
        ),
        ("EXTERNAL_URL", "status page", "is not an address; check host and port."),
        ("LOG_LEVEL", "verbose", "must be debug, info, warning or error."),
        ("LOG_FORMAT", "xml", "must be logfmt or json."),
        ("EXPOSITION", "quick", "must be fast or reference."),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence_that_names_the_variable(
    name: str, value: str, text: str
) -> None:
    assert refusal(**{name: value}) == [f"{PREFIX}{name} {text}"]


def test_a_wrong_flag_is_named_as_it_was_written() -> None:
    sentence = "--poll-interval-seconds must be a number of seconds from 1 to a year, such as 300."
    assert refusal("--poll-interval-seconds", "soon") == [sentence]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = refusal(POLL_SCOPE="all", LOG_LEVEL="verbose", POLL_INTERVALL="5")
    assert [line.split()[0] for line in told] == [
        f"{PREFIX}POLL_INTERVALL",
        f"{PREFIX}POLL_SCOPE",
        f"{PREFIX}LOG_LEVEL",
    ]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("POLL_INTERVAL", f"did you mean {PREFIX}POLL_INTERVAL_SECONDS?"),
        ("APIKEY", f"did you mean {PREFIX}API_KEY?"),
        ("TIMEZONE", f"did you mean {PREFIX}DEFAULT_TIMEZONE?"),
        ("CONFIG", f"did you mean {PREFIX}CONFIG_FILE?"),
        ("ZZZ", "remove it."),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(name: str, remedy: str) -> None:
    assert refusal(**{name: "1"}) == [f"{PREFIX}{name} is not a setting; {remedy}"]


def test_what_kubernetes_injects_for_a_service_is_let_pass() -> None:
    load(
        PORT="tcp://10.0.0.1:10639",
        PORT_10639_TCP="tcp://10.0.0.1:10639",
        PORT_10639_TCP_ADDR="10.0.0.1",
        PORT_10639_TCP_PORT="10639",
        PORT_10639_TCP_PROTO="tcp",
        SERVICE_HOST="10.0.0.1",
        SERVICE_PORT="10639",
        SERVICE_PORT_HTTP_METRICS="10639",
        HEADLESS_SERVICE_HOST="10.0.0.2",
        HEADLESS_PORT="udp://10.0.0.2:1",
    )


def test_a_port_that_somebody_meant_to_set_is_not_let_pass() -> None:
    assert refusal(PORT="9000") == [f"{PREFIX}PORT is not a setting; remove it."]
    assert len(refusal(LISTEN_PORT="9000")) == 1


def test_other_variables_do_not_matter() -> None:
    settings.load({}, {"NEXHEALTH_API_KEY": "x", "PATH": "/bin"})


def test_no_flag_takes_a_secret() -> None:
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    words = parser.format_help().split()
    assert "--api-key-file" in words
    assert "--api-key" not in words


def test_a_password_in_an_address_comes_by_variable_only() -> None:
    address = "http://scraper:hunter2hunter2@prometheus:9090"
    told = load(PROMETHEUS_URL=address)
    assert told.prometheus_url == address
    assert "hunter2" not in repr(told)
    (sentence,) = refusal("--prometheus-url", address)
    assert sentence.startswith("--prometheus-url must not contain a password, which the process")
    assert sentence.endswith(f"set {PREFIX}PROMETHEUS_URL instead.")


def test_key_and_key_file_exclude_each_other_unless_the_file_comes_by_flag() -> None:
    assert refusal(API_KEY="k" * 20, API_KEY_FILE="key") == [
        f"{PREFIX}API_KEY and {PREFIX}API_KEY_FILE are both set; keep one."
    ]
    assert load("--api-key-file", "key", API_KEY="k" * 20).api_key_file == Path("key")


@pytest.mark.parametrize("other", ["API_KEY_FILE", "CONFIG_FILE", "WEB_CONFIG_FILE"])
def test_the_state_has_a_file_of_its_own(other: str) -> None:
    (sentence,) = refusal(**{"STATE_FILE": "/etc/exporter/one", other: "/etc/exporter//one"})
    assert sentence == (
        f"{PREFIX}STATE_FILE and {PREFIX}{other} are the same file; "
        "give the state a file of its own."
    )


@pytest.mark.parametrize("name", ["API_KEY", "API_KEY_FILE", "API_URL", "POLL_SCOPE", "SHARD"])
def test_no_sentence_shows_a_value(name: str) -> None:
    told = refusal(**{name: "hunter2 hunter2\0", "SHARDS": "no"})
    assert "hunter2" not in "".join(told)


def test_help_tells_variable_and_default_of_each_flag() -> None:
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    text = " ".join(parser.format_help().split())
    assert "--poll-interval-seconds SECONDS" in text
    assert "[NEXHEALTH_EXPORTER_POLL_INTERVAL_SECONDS, default 300]" in text


def test_help_of_the_demo_promises_no_variable_and_no_flag_that_does_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    text = " ".join(capsys.readouterr().out.split())

    assert PREFIX not in text
    assert "--api-url" not in text
    assert "--api-key-file" not in text
    assert "[default 15]" in text


def test_a_shard_whose_number_is_empty_does_not_take_that_of_another() -> None:
    env = {"NEXHEALTH_EXPORTER_SHARDS": "3", "NEXHEALTH_EXPORTER_SHARD": ""}

    with pytest.raises(ConfigError, match=r"^NEXHEALTH_EXPORTER_SHARD is empty"):
        settings.load({}, env)
    assert settings.load({"shard": "2"}, env).shard == 2
    assert settings.load({}, env | {"NEXHEALTH_EXPORTER_SHARDS": "1"}).shard == 0
    assert settings.load({}, {"NEXHEALTH_EXPORTER_SHARDS": "3"}).shard == 0
