import shutil
import tarfile
from pathlib import Path

import pytest

from tests.chart.charts import CHART, ROOT, SCENARIOS, Helm, Refused


@pytest.mark.parametrize("values", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_passes_lint(each_helm: Helm, values: Path) -> None:
    each_helm.run("lint", "--strict", CHART, "--values", values)


@pytest.mark.parametrize("values", SCENARIOS, ids=lambda path: path.name)
def test_both_helms_render_the_same(helms: dict[str, Helm], values: Path) -> None:
    older, newer = (helm.objects(values) for helm in helms.values())

    assert older == newer
    assert older


def test_the_package_carries_rules_and_dashboards_and_renders_the_same(
    each_helm: Helm, tmp_path: Path
) -> None:
    each_helm.run("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("nexhealth-exporter/") for name in archive.getnames()}
        links = [one.name for one in archive.getmembers() if one.issym() or one.islnk()]
    wanted = {
        str(path.relative_to(ROOT))
        for path in (*(ROOT / "alerts").glob("*.yaml"), *(ROOT / "dashboards").glob("*.json"))
        if path.name != "alertmanager.yaml"
    }
    values = CHART / "ci" / "operator-values.yaml"

    assert wanted
    assert wanted <= names
    assert links == []
    assert {"alerts", "dashboards", "files", "templates"} >= {
        name.partition("/")[0] for name in names if "/" in name
    }
    assert [name for name in names if name.startswith("alerts/") and name.count("/") > 1] == []
    assert each_helm.objects(values) == each_helm.objects(values, chart=package)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"demo": True, "shardz": 2}, "shardz"),
        ({"demo": True, "settings": {"polIntervalSeconds": 60}}, "polIntervalSeconds"),
        ({"demo": True, "prometheusRule": {"disabled": {"NexHealthDown": True}}}, "NexHealthDown"),
        ({"demo": True, "config": {"schedule": {}}}, "schedule"),
        ({"demo": True, "livenessProbe": {"timeoutSecond": 1}}, "timeoutSecond"),
        ({"demo": True, "tolerations": [{"keys": "spot"}]}, "keys"),
        ({"demo": True, "serviceMonitor": {"basicAuth": {"user": {}}}}, "basicAuth"),
        ({"demo": True, "webConfig": {"basic_auth_user": {}}}, "basic_auth_user"),
    ],
)
def test_a_misspelled_value_is_refused_by_name(
    each_helm: Helm, values: dict[str, object], name: str
) -> None:
    with pytest.raises(Refused, match=name):
        each_helm.text(values)


@pytest.mark.parametrize(
    "name",
    [
        "severity",
        "alertname",
        "institution",
        "sync",
        "integration_type",
        "group",
        "shards",
        "extent",
    ],
)
def test_a_label_for_every_alert_must_not_replace_one_of_its_own(
    each_helm: Helm, name: str
) -> None:
    values = {"demo": True, "prometheusRule": {"additionalRuleLabels": {name: "x"}}}
    with pytest.raises(Refused, match=name):
        each_helm.text(values)


def test_a_key_under_which_everything_is_commented_out_is_as_if_it_was_not_there(
    each_helm: Helm,
) -> None:
    given = {"apiKey": "x", "prometheusRule": {"enabled": True}}
    empty = ("settings", "config", "webConfig", "existingSecret", "imagePullSecrets", "extraEnv")
    nothing = dict.fromkeys((*empty, "commonLabels", "podLabels", "extraArgs", "global"))
    rule = dict.fromkeys(("additionalRuleLabels", "disabled", "runbookUrl"))
    more = {"prometheusRule": {"enabled": True, **rule}, "persistence": {"labels": None}}

    assert each_helm.objects(given) == each_helm.objects({**given, **nothing, **more})


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_scrapes_too_seldom_for_the_rules_are_refused(helm: Helm, monitor: str) -> None:
    def values(interval: str) -> dict[str, object]:
        return {"demo": True, monitor: {"enabled": True, "interval": interval}}

    for interval in ("", "15s", "90s", "120s", "1m", "1m30s", "2m"):
        assert helm.text(values(interval))
    for interval in ("121s", "2m1s", "3m", "5m", "1h"):
        with pytest.raises(Refused, match="interval"):
            helm.text(values(interval))


@pytest.mark.parametrize("place", ["shards", "image", "networkPolicy", "service.port"])
def test_a_value_that_was_left_empty_though_it_is_needed_is_refused_by_name(
    each_helm: Helm, place: str
) -> None:
    outer, _, inner = place.partition(".")
    values = {"apiKey": "x", outer: {inner: None} if inner else None}

    with pytest.raises(Refused, match=inner or outer) as refusal:
        each_helm.text(values)
    assert "don't meet the specifications of the schema" in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "an API key is needed: set existingSecret.name"),
        ({"demo": True, "shards": 2}, "demo has one shard"),
        (
            {"demo": True, "serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
            "both would scrape twice",
        ),
        (
            {
                "apiKey": "x",
                "extraEnv": [{"name": "NEXHEALTH_EXPORTER_CONFIG_FILE", "value": "/x"}],
            },
            "NEXHEALTH_EXPORTER_CONFIG_FILE is set by the chart already",
        ),
        (
            {
                "demo": True,
                "webConfigSecret": {"name": "web"},
                "webConfig": {"http_server_config": {"http2": False}},
            },
            "webConfigSecret.name and webConfig: remove one of them",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(
    each_helm: Helm, values: dict[str, object], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        each_helm.text(values)


@pytest.mark.parametrize("folder", ["alerts", "dashboards"])
def test_a_copy_that_lost_its_links_is_refused(helm: Helm, folder: str, tmp_path: Path) -> None:
    """Git without links leaves a file with the link's text; nobody would miss the alerts."""
    copy = tmp_path / "copy"
    shutil.copytree(CHART, copy, symlinks=True)
    for link in ("alerts", "dashboards"):
        (copy / link).unlink()
        (copy / link).write_text(f"../../{link}")
    enabled = "prometheusRule" if folder == "alerts" else "dashboards"

    assert helm.text({"demo": True}, chart=copy)
    with pytest.raises(Refused, match=f"this copy of the chart lacks its folder {folder}"):
        helm.text({"demo": True, enabled: {"enabled": True}}, chart=copy)


def test_an_older_kubernetes_is_refused(each_helm: Helm) -> None:
    with pytest.raises(Refused, match=r"kubeVersion: >=1\.28\.0-0"):
        each_helm.text({"demo": True}, "--kube-version", "1.27.16")


def test_the_notes_name_what_is_still_missing(helm: Helm) -> None:
    # Helm 3 would ask a cluster first.
    install = ("install", "office", CHART, "--dry-run=client")
    bare = helm.run(*install, "--set", "existingSecret.name=key")
    alerted = helm.run(*install, "--set", "apiKey=x", "--set", "prometheusRule.enabled=true")
    whole = helm.run(*install, "--values", CHART / "ci" / "operator-values.yaml")

    assert "Nothing scrapes it yet: set serviceMonitor.enabled" in bare
    assert "No alerts yet: set prometheusRule.enabled" in bare
    assert "Alerts link to no runbook yet: set prometheusRule.runbookUrl" in alerted
    assert "to http://office-nexhealth-exporter.default:10639 yet: set settings.ext" in alerted
    assert "runbook" not in bare
    assert "kubectl --namespace default exec office-nexhealth-exporter-0" in bare
    assert "yet:" not in whole.partition("NOTES:")[2]


def test_the_notes_name_a_prometheus_that_the_network_policy_keeps_out_of_reach(
    helm: Helm,
) -> None:
    install = ("install", "office", CHART, "--dry-run=client", "--values")
    closed = CHART / "ci" / "closed-network-values.yaml"

    assert "extraEgress" not in helm.run(*install, closed).partition("NOTES:")[2]
    shut = helm.run(*install, closed, "--set", "networkPolicy.extraEgress=null")
    assert "may not reach settings.prometheusUrl: set networkPolicy.extraEgress" in shut


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_the_notes_name_what_scrapes_lack_to_pass(helm: Helm, monitor: str) -> None:
    install = ("install", "office", CHART, "--dry-run=client", "--set", "demo=true", "--set")
    https = f"tlsSecretName=tls,{monitor}.enabled=true"
    secret = f"webConfigSecret.name=web,{monitor}.enabled=true"
    password = f"{monitor}.enabled=true,webConfig.basic_auth_users.a=$2y$10${'a' * 53}"
    plain = helm.run(*install, f"{monitor}.enabled=true").partition("NOTES:")[2]

    assert f"cannot verify the certificate: set {monitor}.tlsConfig" in helm.run(*install, https)
    assert f"know no password: set {monitor}.basicAuth" in helm.run(*install, password)
    assert f"know no password: set {monitor}.basicAuth" in helm.run(*install, secret)
    assert "Scrapes" not in plain
    whole = helm.run(*install, "shards=1", "--values", CHART / "ci" / "https-values.yaml")
    assert "Scrapes" not in whole.partition("NOTES:")[2]


def test_the_notes_warn_that_incidents_hold_back_offices_without_their_alert(helm: Helm) -> None:
    install = ("install", "office", CHART, "--dry-run=client", "--set", "apiKey=x", "--set")
    rule = "prometheusRule.enabled=true"
    without = f"{rule},prometheusRule.disabled.NexHealthFleetIncident="
    warning = "still hold back the alerts of their offices"

    assert warning in helm.run(*install, f"{without}true").partition("NOTES:")[2]
    assert warning not in helm.run(*install, f"{without}false").partition("NOTES:")[2]
    assert warning not in helm.run(*install, rule).partition("NOTES:")[2]


@pytest.mark.parametrize("enabled", ["serviceMonitor", "podMonitor", "prometheusRule"])
def test_the_notes_warn_that_alerts_of_the_demo_look_real(helm: Helm, enabled: str) -> None:
    install = ("install", "office", CHART, "--dry-run=client", "--set")
    warning = "made-up offices cause alerts that look like those of real ones"

    assert warning in helm.run(*install, f"demo=true,{enabled}.enabled=true")
    assert warning not in helm.run(*install, "demo=true")
    assert warning not in helm.run(*install, f"apiKey=x,{enabled}.enabled=true")


@pytest.mark.parametrize("client", ["NoClientCert", "RequireAndVerifyClientCert"])
def test_the_notes_name_the_test_where_there_is_one(helm: Helm, client: str) -> None:
    install = ("install", "office", CHART, "--dry-run=client", "--set", "demo=true")
    web = f"tlsSecretName=tls,webConfig.tls_server_config.client_auth_type={client}"
    said = helm.run(*install, "--set", web)

    assert ("helm.sh/hook: test" in said) == (client == "NoClientCert")
    assert ("helm --namespace default test office" in said) == (client == "NoClientCert")
