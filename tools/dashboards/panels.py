"""Panels and their queries as Grafana's JSON has them; Grafana 10 and newer."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Meanings = Mapping[int, tuple[str, str]]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Okabe and Ito's palette: told apart by colour-blind people, on light and on dark.
CRITICAL, WARNING, LATE = "#D55E00", "#E69F00", "#F0E442"
FRESH, RESTING, UNKNOWN, PLAIN = "#009E73", "#56B4E9", "#CC79A7", "#0072B2"
GREY = "#888888"

COLOURED = {"type": "color-background", "mode": "basic"}
"""Cells of a table that have the colour of their value."""


def query(expression: str, legend: str = "__auto", *, instant: bool = False) -> Json:
    """A target; instant ones are shown as tables or single values."""
    return {
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": expression,
        "format": "table" if instant else "time_series",
        "instant": instant,
        "legendFormat": legend,
        "range": not instant,
    }


def steps(*pairs: tuple[float | None, str]) -> Json:
    """Absolute thresholds: from that value on, that colour."""
    return {"mode": "absolute", "steps": [{"value": v, "color": c} for v, c in pairs]}


def panel(
    kind: str,
    title: str,
    description: str,
    targets: Sequence[Json],
    *,
    unit: str = "short",
    options: Json | None = None,
    custom: Json | None = None,
    defaults: Json | None = None,
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
    **more: Any,  # noqa: ANN401 - whatever else that kind of panel has
) -> Json:
    """A panel; its place is given by `rows`."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": [{**t, "refId": chr(ord("A") + i)} for i, t in enumerate(targets)],
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "color": {"mode": "thresholds"},
                "thresholds": steps((None, PLAIN)),
                "custom": custom or {},
                **(defaults or {}),
            },
            "overrides": list(overrides),
        },
        "options": options or {},
        "transformations": list(transformations),
        **more,
    }


def stat(
    title: str,
    description: str,
    expression: str,
    colour: str,
    *,
    alarming: bool = False,
    legend: str = "__auto",
    shows: str = "value",
    untold: tuple[str, str] = ("no data", UNKNOWN),
    meanings: Meanings | None = None,
    **more: Any,  # noqa: ANN401 - whatever else panels have
) -> Json:
    """One number, or its name. An alarming one is calm while it is 0.

    `untold` is shown where there is none: a word and its colour, or Grafana would take that of 0.
    """
    thresholds = steps((None, FRESH), (1, colour)) if alarming else steps((None, colour))
    word, its_colour = untold
    nothing = {"match": "null", "result": {"color": its_colour, "index": 99, "text": word}}
    return panel(
        "stat",
        title,
        description,
        [{**query(expression, legend, instant=True), "format": "time_series"}],
        options={
            # Not the value's own colour: yellow figures cannot be read on a light theme.
            "colorMode": "background_solid",
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": shows,
            "wideLayout": True,
        },
        defaults={
            "thresholds": thresholds,
            "noValue": word,
            "mappings": [*mappings(meanings or {}), {"type": "special", "options": nothing}],
            **more.pop("defaults", {}),
        },
        **more,
    )


def lines(
    title: str,
    description: str,
    targets: Sequence[Json],
    *,
    unit: str,
    stacked: bool = False,
    **more: Any,  # noqa: ANN401
) -> Json:
    """Lines over time."""
    custom = {
        "drawStyle": "line",
        "fillOpacity": 25 if stacked else 8,
        "lineWidth": 2,
        # A point with no neighbours would not be seen as a line.
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
    }
    return panel(
        "timeseries",
        title,
        description,
        targets,
        unit=unit,
        custom=custom,
        defaults={"color": {"mode": "palette-classic"}, **more.pop("defaults", {})},
        options={
            "legend": {
                "calcs": ["lastNotNull"],
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        **more,
    )


def table(
    title: str,
    description: str,
    targets: Sequence[Json],
    columns: Mapping[str, str],
    *,
    sort: str,
    unit: str = "short",
    overrides: Sequence[Json] = (),
    descending: bool = True,
) -> Json:
    """A table of instant queries joined by their labels; `columns` are shown, in that order."""
    order = {name: position for position, name in enumerate(columns)}
    return panel(
        "table",
        title,
        description,
        targets,
        unit=unit,
        options={
            "cellHeight": "sm",
            "showHeader": True,
            "sortBy": [{"desc": descending, "displayName": columns[sort]}],
        },
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
        # Two units at most: "5 hours, 13 minutes".
        defaults={"decimals": 1} if unit == "dtdurations" else {},
        overrides=overrides,
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {},
                    "indexByName": order,
                    "renameByName": dict(columns),
                },
            },
        ],
    )


def bars(title: str, description: str, targets: Sequence[Json], colour: str) -> Json:
    """One bar for each series, with its number; instant."""
    return panel(
        "bargauge",
        title,
        description,
        [{**t, "format": "time_series"} for t in targets],
        options={
            "displayMode": "basic",
            "maxVizHeight": 48,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "left",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": False,
            "sizing": "auto",
            "valueMode": "text",
        },
        defaults={"thresholds": steps((None, colour)), "min": 0},
    )


def heatmap(title: str, description: str, expression: str, *, unit: str) -> Json:
    """Counts in cumulative buckets (label `le`) over time."""
    target = {**query(expression, "{{le}}"), "format": "heatmap"}
    return panel(
        "heatmap",
        title,
        description,
        [target],
        unit=unit,
        custom={"scaleDistribution": {"type": "linear"}},
        options={
            "calculate": False,
            "cellGap": 1,
            "cellValues": {"unit": "short"},
            "color": {
                "exponent": 0.5,
                "fill": PLAIN,
                "mode": "scheme",
                "reverse": False,
                "scale": "exponential",
                "scheme": "Viridis",
                "steps": 32,
            },
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "le"},
            "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
    )


def timeline(title: str, description: str, targets: Sequence[Json], meanings: Meanings) -> Json:
    """A band for each series; `meanings` are what its values mean, and their colours."""
    return panel(
        "state-timeline",
        title,
        description,
        targets,
        custom={"fillOpacity": 85, "lineWidth": 0},
        options={
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        defaults={"mappings": mappings(meanings)},
    )


def mappings(meanings: Meanings) -> list[Json]:
    """Numbers shown as words in colours."""
    options = {
        str(value): {"color": colour, "index": index, "text": text}
        for index, (value, (text, colour)) in enumerate(meanings.items())
    }
    return [{"type": "value", "options": options}] if options else []


def override(name: str, **properties: Any) -> Json:  # noqa: ANN401
    """Properties of the column or series of that name; `custom__x` is `custom.x`."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def link(title: str, url: str) -> Json:
    """A data link."""
    return {"title": title, "url": url, "targetBlank": False}


def text(title: str, description: str, content: str) -> Json:
    """Markdown."""
    return {
        "type": "text",
        "title": title,
        "description": description,
        "options": {"content": content, "mode": "markdown"},
        "datasource": SOURCE,
        "transparent": True,
    }
