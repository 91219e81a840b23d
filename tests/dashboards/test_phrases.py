"""What the dashboards say of syncs that the demo does not have, by promtool."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.tools import PROMETHEUS, run
from tests.dashboards.boards import targets, variables
from tests.e2e.processes import binary

KEY = 'institution="rare",sync="web",integration_type="cloud",job="j",instance="i"'


def asked(board: str, panel: str, number: int = 0, **chosen: str) -> str:
    query = [t for t in targets() if (t.board, t.panel) == (board, panel)][number]
    multi = {v["name"]: v["allValue"] for v in variables(board) if v.get("multi")}
    return query.sent({"institution": "rare", **multi, **chosen})


@pytest.mark.parametrize("prometheus", PROMETHEUS)
def test_who_moves_now_and_then_rests_only_outside_of_its_hours(
    tmp_path: Path, prometheus: str
) -> None:
    """It is within its hours for ten minutes, without being expected up; then it is closed."""
    metrics = {
        "expected_up": "0x20",
        "expected_downtime": "_x9 1x11",
        "read_unexpected_lag_seconds": "60x20",
        "write_unexpected_lag_seconds": "60x20",
    }
    series = [
        {"series": f"nexhealth_sync_{name}{{{KEY}{more}}}", "values": values}
        for name, values in metrics.items()
        for more in (',reason="closed"' if name == "expected_downtime" else "",)
    ]
    series.append({"series": 'nexhealth_institutions{job="j",instance="i"}', "values": "1x20"})
    told = {
        ("fleet", "Fresh", 0): (1, 0),
        ("fleet", "Resting", 0): (0, 1),
        ("institution", "State through the week", 0): (0, 14),
        ("institution", "State through the week", 1): (21, 20),
    }
    cases = [
        {
            "expr": f"sum({asked(*panel)})",
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": value}],
        }
        for panel, values in told.items()
        for minute, value in zip((5, 15), values, strict=True)
    ]
    checked(prometheus, tmp_path, series, cases)


@pytest.mark.parametrize("prometheus", PROMETHEUS)
def test_one_of_several_clusters_is_counted_alone(tmp_path: Path, prometheus: str) -> None:
    """As in a data source that reads several Prometheus servers, whose exporters look alike."""
    series = [
        {"series": f'{name}{{cluster="{cluster}",{KEY}}}', "values": values}
        for cluster, resting in (("east", "1x20"), ("west", "_x20"))
        for name, values in (
            ("nexhealth_institutions", "1x20"),
            ("nexhealth_sync_expected_downtime", resting),
            ("nexhealth_sync_read_unexpected_lag_seconds", "60x20"),
            ("nexhealth_sync_write_unexpected_lag_seconds", "60x20"),
        )
    ]
    cases = [
        {
            "expr": f"sum({asked('fleet', 'Resting', cluster=cluster)})",
            "eval_time": "9m",
            "exp_samples": [{"labels": "{}", "value": value}],
        }
        for cluster, value in (("east", 1), ("west", 0), ("(east|west)", 1), (".*", 1))
    ]
    checked(prometheus, tmp_path, series, cases)


@pytest.mark.parametrize("prometheus", PROMETHEUS)
def test_the_oldest_answer_is_of_institutions_that_are_asked_in_every_round(
    tmp_path: Path, prometheus: str
) -> None:
    """Those without a sync are asked once an hour, when the fleet is asked in one call."""
    metrics = {
        "last_poll_timestamp_seconds": {"asked": "0+60x60", "empty": "0x60"},
        "syncs": {"asked": "1x60", "empty": "0x60"},
    }
    scope = 'job="j",instance="i"'
    series = [
        {
            "series": f'nexhealth_institution_{name}{{institution="{office}",{scope}}}',
            "values": values,
        }
        for name, told in metrics.items()
        for office, values in told.items()
    ]
    oldest = asked("exporter", "Oldest answer")
    case = {"expr": oldest, "eval_time": "55m", "exp_samples": [{"labels": "{}", "value": 0}]}
    checked(prometheus, tmp_path, series, [case])


def checked(
    prometheus: str, folder: Path, series: list[dict[str, str]], cases: list[dict[str, Any]]
) -> None:
    """What promtool says of these queries."""
    story = folder / "story.yaml"
    story.write_text(
        yaml.safe_dump(
            {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": cases}]}
        )
    )

    result = run(binary(prometheus, "promtool"), "test", "rules", story)
    assert result.returncode == 0, result.stdout + result.stderr
