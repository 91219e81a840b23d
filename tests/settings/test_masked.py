"""The page of the configuration in force shows no secret."""

from nexhealth_exporter.settings import load, masked

HASH = "$2y$10$" + "a" * 53


def test_settings_are_shown_as_variables_and_secrets_are_masked() -> None:
    settings = load(
        {"include": "smile-.*"},
        {
            "NEXHEALTH_EXPORTER_API_KEY": "hunter2hunter2",
            "NEXHEALTH_EXPORTER_PROMETHEUS_URL": "http://me:pass@w0rd@prometheus:9090",
        },
    )
    lines = masked(settings).splitlines()
    assert "NEXHEALTH_EXPORTER_API_KEY=<secret>" in lines
    assert "NEXHEALTH_EXPORTER_PROMETHEUS_URL=http://<secret>@prometheus:9090" in lines
    assert "NEXHEALTH_EXPORTER_INCLUDE=smile-.*" in lines
    assert "NEXHEALTH_EXPORTER_ABANDONED_AFTER_SECONDS=2592000" in lines
    assert "NEXHEALTH_EXPORTER_LISTEN_ADDRESS=0.0.0.0:10639" in lines
    assert "NEXHEALTH_EXPORTER_POLL_SCOPE=auto" in lines
    assert "NEXHEALTH_EXPORTER_STATE_FILE=" in lines


def test_files_are_shown_as_they_are_without_hashes_and_key() -> None:
    settings = load({}, {"NEXHEALTH_EXPORTER_API_KEY": "hunter2hunter2"})
    text = masked(
        settings,
        "schedules: {}  # hunter2hunter2\n",
        f"basic_auth_users:\n  prometheus: {HASH}\n",
    )
    assert "\n# NEXHEALTH_EXPORTER_CONFIG_FILE\nschedules: {}  # <secret>\n" in text
    assert (
        "\n# NEXHEALTH_EXPORTER_WEB_CONFIG_FILE\nbasic_auth_users:\n  prometheus: <secret>\n"
        in text
    )
