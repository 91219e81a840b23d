"""What grafana/dashboard-linter asks for, without an exclusion, and what Grafana can read."""

import json
import re
import subprocess
import sys
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from nexhealth_exporter.settings import Settings
from tests.dashboards.boards import (
    BOARDS,
    ROOT,
    Query,
    annotations,
    panel_of,
    panels,
    queried,
    targets,
    texts,
    variables,
)

DURATIONS = {"__rate_interval": "5m"}
UNITS = {"short", "s", "dtdurations", "percentunit", "reqps", "cps", "bytes"}
UNKNOWN, GREY, PLAIN = "#CC79A7", "#888888", "#0072B2"
PALETTE = {"#D55E00", "#E69F00", "#F0E442", "#009E73", "#56B4E9", "#CC79A7", "#0072B2", "#888888"}

each_board = pytest.mark.parametrize("board", BOARDS)
each_panel = pytest.mark.parametrize(
    ("board", "panel"), panels(), ids=[f"{name}: {panel['title']}" for name, panel in panels()]
)
each_target = pytest.mark.parametrize("target", targets(), ids=str)


def parsed(query: Query) -> Any:
    """The syntax tree; variables are replaced by words."""
    names = {v["name"]: f"${v['name']}" for v in variables(query.board)}
    return promql_parser.parse(query.sent({**names, **DURATIONS}))


def nodes(tree: Any, *parents: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    """Every node of the tree with those above it, nearest last."""
    below = [getattr(tree, name, None) for name in ("expr", "lhs", "rhs", "param")]
    below += [getattr(tree, "vector_selector", None), *(getattr(tree, "args", None) or ())]
    found = [(tree, parents)]
    for child in below:
        if child is not None:
            found += nodes(child, *parents, tree)
    return found


def selectors(tree: Any) -> list[tuple[promql_parser.VectorSelector, tuple[Any, ...]]]:
    return [(n, p) for n, p in nodes(tree) if isinstance(n, promql_parser.VectorSelector)]


def test_there_are_three_dashboards_with_lasting_addresses() -> None:
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        "fleet": "nexhealth-fleet",
        "institution": "nexhealth-institution",
        "exporter": "nexhealth-exporter",
    }


def test_they_are_as_their_source_makes_them() -> None:
    drift = subprocess.run(
        [sys.executable, ROOT / "tools/dashboards", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert drift.returncode == 0, drift.stderr


@each_board
def test_nothing_is_hard_coded_and_nothing_can_be_edited(board: str) -> None:
    whole = BOARDS[board]
    sources = [v for v in variables(board) if v["type"] == "datasource"]

    assert [(v["name"], v["label"], v["query"]) for v in sources] == [
        ("datasource", "Data source", "prometheus")
    ]
    assert whole["editable"] is False
    assert "id" not in whole


@each_board
def test_job_and_instance_can_be_chosen(board: str) -> None:
    found = {v["name"]: v for v in variables(board)}

    for name in ("job", "instance"):
        variable = found[name]
        assert variable["label"] == name.title()
        assert variable["type"] == "query"
        assert variable["datasource"]["uid"] == "${datasource}"
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".+"


@each_board
def test_a_cluster_can_be_chosen_and_those_without_the_label_are_in_all(board: str) -> None:
    found = {v["name"]: v for v in variables(board)}
    lists = [queried(found[name])[0] for name in ("job", "instance")]

    assert found["cluster"]["label"] == "Cluster"
    assert found["cluster"]["multi"]
    assert found["cluster"]["allValue"] == ".*"
    assert all('cluster=~"$cluster"' in selector for selector in lists)
    leading = [text for text in texts(BOARDS[board]) if text.startswith("/d/")]
    assert leading
    assert all("${cluster:queryparam}" in text for text in leading)


@each_board
def test_variables_ask_in_promql_and_follow_the_time_range(board: str) -> None:
    asked = [v for v in variables(board) if v["type"] == "query"]

    assert asked
    for variable in asked:
        selector, label = queried(variable)
        promql_parser.parse(selector)
        assert label == variable["name"]
        assert variable["refresh"] == 2


def test_filters_by_labels_that_may_be_empty_include_the_empty_value() -> None:
    found = {v["name"]: v for v in variables("fleet")}

    filters = ("group", "institution", "integration_type", "emr", "timezone")
    assert [found[name]["allValue"] for name in filters] == [".*"] * len(filters)


@each_panel
def test_a_panel_says_what_it_shows_and_what_to_conclude(board: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > len(panel["title"])
    assert panel["datasource"]["uid"] == "${datasource}"
    assert board in BOARDS


@each_panel
def test_a_panel_has_targets_with_a_unit(board: str, panel: dict[str, Any]) -> None:
    if panel["type"] == "text":
        assert "targets" not in panel, board
        return
    assert panel["targets"], board
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert all(t["datasource"]["uid"] == "${datasource}" for t in panel["targets"])
    assert len({t["refId"] for t in panel["targets"]}) == len(panel["targets"])


@each_panel
def test_a_panel_uses_the_colours_that_everybody_can_tell_apart(
    board: str, panel: dict[str, Any]
) -> None:
    colours = {t.upper() for t in texts(panel) if re.fullmatch(r"#[0-9a-fA-F]{6}", t)}

    assert colours <= PALETTE, board


@each_panel
def test_a_value_stands_on_its_colour_because_yellow_cannot_be_read_on_white(
    board: str, panel: dict[str, Any]
) -> None:
    if panel["type"] == "stat":
        assert panel["options"]["colorMode"] == "background_solid", board
    assert "color-text" not in texts(panel), board


@pytest.mark.parametrize(
    "panel", [p for _, p in panels() if p["type"] == "stat"], ids=lambda panel: panel["title"]
)
def test_a_number_that_nobody_tells_is_a_word_in_no_alarming_or_calm_colour(
    panel: dict[str, Any],
) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    (untold,) = (m["options"] for m in defaults["mappings"] if m["type"] == "special")

    assert untold["match"] == "null"
    assert untold["result"]["text"] == defaults["noValue"]
    assert untold["result"]["text"].startswith("no")
    assert untold["result"]["color"] in {UNKNOWN, GREY, PLAIN}


@each_target
def test_a_query_parses_and_is_filtered_by_where_it_comes_from(target: Query) -> None:
    found = selectors(parsed(target))

    assert found
    for selector, _ in found:
        matchers = {(m.name, str(m.op), m.value) for m in selector.matchers.matchers}
        kept = {(name, value) for name, op, value in matchers if op.endswith("Re")}
        assert {(name, f"${name}") for name in ("cluster", "job", "instance")} <= kept, selector


@each_target
def test_rates_follow_the_scrape_interval_and_counters_are_rated(target: Query) -> None:
    rated = {"rate", "irate", "increase"}
    for selector, parents in selectors(parsed(target)):
        call = parents[-2].func.name if len(parents) > 1 and hasattr(parents[-2], "func") else ""
        if (selector.name or "").endswith("_total"):
            assert call in rated, selector
    for found in re.finditer(r"i?rate\([^\[\]]*\[([^\]]+)\]", target.expression):
        assert found[1] == "$__rate_interval"


@each_target
def test_rates_of_calls_reach_from_one_poll_to_the_next(target: Query) -> None:
    if "rate(nexhealth_" in target.expression:
        interval = Settings.model_fields["poll_interval_seconds"].default
        assert panel_of(target)["interval"] == f"{interval / 60:g}m"


@pytest.mark.parametrize("annotation", annotations(), ids=str)
def test_annotations_parse(annotation: Query) -> None:
    assert selectors(parsed(annotation))


@each_board
def test_panels_fill_rows_without_overlapping(board: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[board]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    height = max(y for _, y in taken) + 1
    assert taken == {(x, y) for x in range(24) for y in range(height)}


@each_board
def test_links_lead_to_dashboards_that_exist_and_to_the_exporters_pages(board: str) -> None:
    everything = list(texts(BOARDS[board]))
    addresses = {found for text in everything for found in re.findall(r"/d/([\w-]+)", text)}

    assert addresses <= {b["uid"] for b in BOARDS.values()}
    assert any(text.startswith("${exporter}/") for text in everything)
    assert not any("http" in text for text in everything if "localhost:10639" not in text)


@each_board
def test_grafana_knows_every_key(board: str) -> None:
    register_default_plugins()
    whole = BOARDS[board]
    kept = Dashboard.from_json(whole)

    lost = list(missing(whole, _plain(kept)))

    # Grafana's Prometheus source reads these, though its model of an annotation lacks them.
    known = {"titleFormat", "textFormat"}
    assert [path for path in lost if path.rpartition(".")[2] not in known] == []
    assert all(path.startswith("annotations.list") for path in lost)


def _plain(model: Any) -> Any:
    return json.loads(JSONEncoder(sort_keys=True).encode(model))


def missing(whole: Any, kept: Any, path: str = "") -> list[str]:
    """Where the second lacks something that the first holds."""
    if isinstance(whole, dict):
        if not isinstance(kept, dict):
            return [path]
        return [
            found
            for key, value in whole.items()
            for found in (
                missing(value, kept[key], f"{path}.{key}".lstrip("."))
                if key in kept
                else [f"{path}.{key}".lstrip(".")] * (value not in (None, [], {}))
            )
        ]
    if isinstance(whole, list):
        if not isinstance(kept, list) or len(kept) != len(whole):
            return [path]
        pairs = enumerate(zip(whole, kept, strict=True))
        return [f for i, (a, b) in pairs for f in missing(a, b, f"{path}.{i}")]
    return [] if whole == kept else [path]
