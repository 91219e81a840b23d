"""A whole dashboard: where panels stand, what can be filtered, where links lead."""

from collections.abc import Iterable, Sequence

from dashboards.panels import SOURCE, Json

KEPT = "${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}"
"""What a link from one dashboard to another keeps of what was chosen."""

BOARDS = {"fleet": "Fleet", "institution": "Institution", "exporter": "Exporter"}


def rows(*laid: tuple[int, Sequence[tuple[int, Json]]]) -> list[Json]:
    """Panels with their places: rows of a height, each panel with its width (24 in all)."""
    placed: list[Json] = []
    y = 0
    for height, panels in laid:
        x = 0
        for width, each in panels:
            place = {"h": height, "w": width, "x": x, "y": y}
            placed.append({**each, "id": len(placed) + 1, "gridPos": place})
            x += width
        y += height
    return placed


def variable(
    name: str, label: str, labels_of: str, *, every: str = ".+", multi: bool = True
) -> Json:
    """A variable that lists the values of a label."""
    lists = f"label_values({labels_of}, {name})"
    everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": lists,
        "refresh": 2,
        "sort": 1,
        "multi": multi,
        "includeAll": multi,
        **({"allValue": every, "current": everything} if multi else {"current": {}}),
        "hide": 0,
        "options": [],
        "regex": "",
        "skipUrlSync": False,
    }


def _datasource() -> Json:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _address() -> Json:
    default = "http://localhost:10639"
    return {
        "type": "textbox",
        "name": "exporter",
        "label": "Exporter's address",
        "query": default,
        "current": {"text": default, "value": default},
        "hide": 0,
        "options": [{"selected": True, "text": default, "value": default}],
        "skipUrlSync": False,
    }


def dashboard(
    name: str,
    description: str,
    panels: Iterable[Json],
    variables: Iterable[Json] = (),
    *,
    since: str,
    annotations: Iterable[Json] = (),
) -> Json:
    """The whole dashboard."""
    fleet = "nexhealth_institutions"
    cluster = 'cluster=~"$cluster"'
    scope = [
        # A Prometheus that is alone has no such label: *All* includes its samples.
        variable("cluster", "Cluster", fleet, every=".*"),
        variable("job", "Job", f"{fleet}{{{cluster}}}"),
        variable("instance", "Instance", f'{fleet}{{{cluster},job=~"$job"}}'),
    ]
    links = [
        {
            "type": "link",
            "title": title,
            "url": f"/d/nexhealth-{other}?{KEPT}",
            "icon": "dashboard",
            "keepTime": True,
            "targetBlank": False,
            "asDropdown": False,
            "includeVars": False,
            "tags": [],
            "tooltip": f"NexHealth: {title}",
        }
        for other, title in BOARDS.items()
        if other != name
    ]
    links.append({**links[0], "title": "Exporter's own page", "icon": "external link"})
    links[-1] |= {"url": "${exporter}/", "keepTime": False, "tooltip": "Every sync, and why"}
    return {
        "uid": f"nexhealth-{name}",
        "title": f"NexHealth / {BOARDS[name]}",
        "description": description,
        "tags": ["nexhealth"],
        "editable": False,
        "schemaVersion": 39,
        "timezone": "browser",
        "time": {"from": f"now-{since}", "to": "now"},
        "refresh": "1m",
        "graphTooltip": 1,
        "links": links,
        "templating": {"list": [_datasource(), *scope, *variables, _address()]},
        "annotations": {"list": list(annotations)},
        "panels": list(panels),
    }
