import pytest
import yaml

from nexhealth_exporter import rules
from nexhealth_exporter.cli.arguments import parse_arguments
from nexhealth_exporter.settings import load, overrides
from tests.chart.charts import CHART, Helm, Object, environment, exporter, one, pod

POD_KINDS = {"StatefulSet", "Pod"}


def test_every_pod_passes_the_restricted_profile(scenarios: dict[str, list[Object]]) -> None:
    seen = 0
    for objects in scenarios.values():
        for spec in pod_specs(objects):
            seen += 1
            security = spec["securityContext"]
            assert security["runAsNonRoot"] is True
            assert security["runAsUser"] > 0
            assert security["seccompProfile"]["type"] == "RuntimeDefault"
            assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
            assert all(volume_is_restricted(volume) for volume in spec.get("volumes", []))
            own = next(each for each in spec["containers"] if "securityContext" in each)
            assert own["securityContext"]["allowPrivilegeEscalation"] is False
            assert own["securityContext"]["readOnlyRootFilesystem"] is True
            assert own["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert not any("hostPort" in port for port in own.get("ports", []))
    assert seen > len(scenarios)


def pod_specs(objects: list[Object]) -> list[Object]:
    """Of the StatefulSet and of the test."""
    return [
        each["spec"]["template"]["spec"] if each["kind"] == "StatefulSet" else each["spec"]
        for each in objects
        if each["kind"] in POD_KINDS
    ]


def volume_is_restricted(volume: Object) -> bool:
    allowed = {"configMap", "csi", "emptyDir", "secret", "persistentVolumeClaim", "projected"}
    return set(volume) - {"name"} <= allowed


def test_no_pod_gets_a_token_or_the_variables_of_services(
    scenarios: dict[str, list[Object]],
) -> None:
    for objects in scenarios.values():
        for spec in pod_specs(objects):
            assert spec["automountServiceAccountToken"] is False
            assert spec["enableServiceLinks"] is False
        accounts = [each for each in objects if each["kind"] == "ServiceAccount"]
        assert all(each["automountServiceAccountToken"] is False for each in accounts)


def test_the_program_takes_the_environment_of_every_scenario(
    scenarios: dict[str, list[Object]],
) -> None:
    for name, objects in scenarios.items():
        told = {
            key: "0" if key.endswith("_SHARD") else value
            for key, value in environment(objects).items()
            if isinstance(value, str) or key.endswith("_SHARD")
        }
        settings = load({}, told)
        assert settings.listen_address.port == exporter(objects)["ports"][0]["containerPort"]
        assert (name != "demo") == (settings.api_key_file is not None)


def test_settings_reach_the_program_as_they_were_written(
    scenarios: dict[str, list[Object]],
) -> None:
    told = environment(scenarios["shards"])

    assert told["NEXHEALTH_EXPORTER_ABANDONED_AFTER_SECONDS"] == "2592000"
    assert told["NEXHEALTH_EXPORTER_API_CALLS_BUDGET"] == "0"
    assert told["NEXHEALTH_EXPORTER_API_TIMEOUT_SECONDS"] == "2.5"


def test_the_configuration_file_reaches_the_program_as_it_was_written(
    scenarios: dict[str, list[Object]],
) -> None:
    objects = scenarios["configured"]
    text = one(objects, "ConfigMap")["data"]["config.yaml"]
    read = rules.read(text, "config.yaml")

    assert {"standard", "always-on"} == set(read.schedules)
    assert yaml.safe_load(text)["institutions"][1]["match"]["id"] == [12345678, 12345679]
    assert mounted(objects, environment(objects)["NEXHEALTH_EXPORTER_CONFIG_FILE"]) == "config"


def test_an_empty_configuration_is_a_file_that_the_program_takes(
    scenarios: dict[str, list[Object]],
) -> None:
    text = one(scenarios["existing-secret"], "ConfigMap")["data"]["config.yaml"]

    assert not rules.read(text, "config.yaml").schedules


def mounted(objects: list[Object], path: str) -> str:
    """The volume on which that file is; nothing is mounted as a single file."""
    mounts = {each["mountPath"]: each for each in exporter(objects)["volumeMounts"]}
    folder = mounts[path.rpartition("/")[0]]
    assert "subPath" not in folder
    name: str = folder["name"]
    return name


@pytest.mark.parametrize(
    ("scenario", "secret", "key"),
    [
        ("existing-secret", "nexhealth", "production"),
        ("own-secret", "office-nexhealth-exporter", "api-key"),
    ],
)
def test_the_key_is_a_file_from_a_secret_and_nowhere_else(
    scenarios: dict[str, list[Object]], scenario: str, secret: str, key: str
) -> None:
    objects = scenarios[scenario]
    path = environment(objects)["NEXHEALTH_EXPORTER_API_KEY_FILE"]
    volume = next(
        each for each in pod(objects)["volumes"] if each["name"] == mounted(objects, path)
    )
    others = [each for each in objects if each["kind"] != "Secret"]

    assert secret == volume["secret"]["secretName"]
    assert [{"key": key, "path": "api-key"}] == volume["secret"]["items"]
    assert volume["secret"]["defaultMode"] == 0o440
    assert "not-a-real-key" not in yaml.safe_dump(others)
    assert "bm90LWEtcmVhbC1rZXk=" not in yaml.safe_dump(others)


def test_a_demo_needs_no_secret_and_no_volume(scenarios: dict[str, list[Object]]) -> None:
    objects = scenarios["demo"]

    assert exporter(objects)["args"] == ["demo"]
    assert not [each for each in objects if each["kind"] in {"Secret", "ConfigMap"}]
    assert [each["name"] for each in pod(objects)["volumes"]] == ["state"]
    assert [each["mountPath"] for each in exporter(objects)["volumeMounts"]] == ["/tmp"]  # noqa: S108 - in the pod
    assert "volumeClaimTemplates" not in one(objects, "StatefulSet")["spec"]


def test_a_demo_is_told_its_settings_by_flags_for_it_reads_no_environment(helm: Helm) -> None:
    values = {"demo": True, "settings": {"pollIntervalSeconds": 20}, "tlsSecretName": "certificate"}
    objects = helm.objects({**values, "extraArgs": ["--log-level=debug"]})

    assert exporter(objects)["args"] == [
        "demo",
        "--poll-interval-seconds=20",
        "--web-config-file=/etc/nexhealth-exporter/web/web-config.yaml",
        "--log-level=debug",
    ]
    assert not environment(objects)


def test_a_demo_on_top_of_the_values_of_a_real_one_gets_only_flags_that_it_has(helm: Helm) -> None:
    settings = {"apiUrl": "https://gateway.example.org", "logLevel": "info"}
    history = "https://reader:secret@prometheus.example.org"
    objects = helm.objects({"demo": True, "settings": {**settings, "prometheusUrl": history}})
    args = exporter(objects)["args"]

    assert "--log-level=info" in args
    assert parse_arguments(args).command == "demo"
    load(overrides(parse_arguments(args)), {})


def test_each_pod_takes_its_shard_by_ordinal_and_keeps_its_own_state(
    scenarios: dict[str, list[Object]],
) -> None:
    objects = scenarios["shards"]
    spec = one(objects, "StatefulSet")["spec"]
    told = environment(objects)

    assert spec["replicas"] == 3
    assert told["NEXHEALTH_EXPORTER_SHARDS"] == "3"
    assert (
        (told["NEXHEALTH_EXPORTER_SHARD"]["fieldRef"]["fieldPath"])
        == "metadata.labels['apps.kubernetes.io/pod-index']"
    )
    assert spec["podManagementPolicy"] == "Parallel"
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == mounted(objects, told["NEXHEALTH_EXPORTER_STATE_FILE"])
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert (spec["persistentVolumeClaimRetentionPolicy"]) == {
        "whenDeleted": "Retain",
        "whenScaled": "Delete",
    }


def test_one_more_shard_changes_nothing_but_replicas_and_shards(helm: Helm) -> None:
    values = {"existingSecret": {"name": "nexhealth"}}
    two, three = (one(helm.objects({**values, "shards": n}), "StatefulSet") for n in (2, 3))
    text = yaml.safe_dump(two["spec"])
    grown = text.replace("replicas: 2", "replicas: 3").replace("value: '2'", "value: '3'")

    assert text != grown
    assert grown == yaml.safe_dump(three["spec"])


def probes(objects: list[Object]) -> dict[str, Object]:
    """By kind."""
    container = exporter(objects)
    return {key: container[key] for key in container if key.endswith("Probe")}


def test_probes_have_endpoints_of_their_own_and_follow_the_scheme(helm: Helm) -> None:
    for more, scheme in (({}, "HTTP"), ({"tlsSecretName": "certificate"}, "HTTPS")):
        found = probes(helm.objects({"demo": True, **more}))

        assert {each["httpGet"]["path"] for each in found.values()} == {"/-/healthy", "/-/ready"}
        assert found["livenessProbe"]["httpGet"]["path"] == "/-/healthy"
        assert found["readinessProbe"]["httpGet"]["path"] == "/-/ready"
        assert {each["httpGet"]["scheme"] for each in found.values()} == {scheme}
        assert {each["httpGet"]["port"] for each in found.values()} == {"http"}


def test_where_pages_ask_for_a_password_or_a_certificate_probes_look_at_the_port(
    helm: Helm, scenarios: dict[str, list[Object]]
) -> None:
    tls = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "/ca"}
    mutual = {"tlsSecretName": "certificate", "webConfig": {"tls_server_config": tls}}

    for objects in (scenarios["https"], certified := helm.objects({"demo": True, **mutual})):
        for each in probes(objects).values():
            assert each["tcpSocket"] == {"port": "http"}
            assert "httpGet" not in each
    assert not [each for each in certified if each["kind"] == "Pod"], "a test that cannot get in"


def test_a_probe_can_be_of_another_kind_or_none(helm: Helm) -> None:
    values = {
        "demo": True,
        "livenessProbe": {"httpGet": None, "tcpSocket": {"port": "http"}},
        "startupProbe": None,
    }
    container = exporter(helm.objects(values))

    assert {"tcpSocket", "periodSeconds", "timeoutSeconds"} == set(container["livenessProbe"])
    assert "startupProbe" not in container


def test_a_certificate_alone_makes_the_exporter_serve_https(helm: Helm) -> None:
    objects = helm.objects({"apiKey": "key", "tlsSecretName": "certificate"})
    path = environment(objects)["NEXHEALTH_EXPORTER_WEB_CONFIG_FILE"]
    volumes = {each["name"]: each for each in pod(objects)["volumes"]}
    mounts = {each["mountPath"]: each["name"] for each in exporter(objects)["volumeMounts"]}

    assert (
        (volumes[mounted(objects, path)]["secret"]["secretName"]) == "office-nexhealth-exporter-web"
    )
    assert volumes[mounts["/etc/nexhealth-exporter/tls"]]["secret"]["secretName"] == "certificate"


def test_passwords_can_come_from_a_secret_that_the_chart_does_not_make(helm: Helm) -> None:
    own = {"webConfigSecret": {"name": "web", "key": "users.yaml"}, "tlsSecretName": "certificate"}
    objects = helm.objects({"apiKey": "key", **own})
    path = environment(objects)["NEXHEALTH_EXPORTER_WEB_CONFIG_FILE"]
    volumes = {each["name"]: each.get("secret") for each in pod(objects)["volumes"]}

    assert volumes[mounted(objects, path)] == {
        "secretName": "web",
        "defaultMode": 0o440,
        "items": [{"key": "users.yaml", "path": path.rpartition("/")[2]}],
    }
    assert volumes["tls"]["secretName"] == "certificate"
    assert [each["metadata"]["name"] for each in objects if each["kind"] == "Secret"] == [
        "office-nexhealth-exporter"
    ]
    assert all("tcpSocket" in each for each in probes(objects).values()), "they know no password"
    assert not [each for each in objects if each["kind"] == "Pod"], "a test that cannot get in"


def test_the_test_reads_metrics_with_the_exporter_s_own_image(
    scenarios: dict[str, list[Object]],
) -> None:
    objects = scenarios["https"]
    (container,) = one(objects, "Pod")["spec"]["containers"]

    assert exporter(objects)["image"] == container["image"]
    assert container["command"][3] == "https://office-nexhealth-exporter:10639/metrics"
    assert {"USERNAME", "PASSWORD"} == {each["name"] for each in container["env"]}


def test_the_service_sends_nobody_to_the_test_s_pod(scenarios: dict[str, list[Object]]) -> None:
    for objects in scenarios.values():
        wanted = one(objects, "Service")["spec"]["selector"].items()
        template = one(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"]

        assert wanted <= template.items()
        assert not wanted <= one(objects, "Pod")["metadata"]["labels"].items()


def test_common_labels_are_on_every_object(scenarios: dict[str, list[Object]]) -> None:
    objects = [one for one in scenarios["everything"] if "labels" in one["metadata"]]

    assert {each["kind"] for each in objects} >= {"StatefulSet", "Service", "Pod"}
    assert {each["metadata"]["labels"]["team"] for each in objects} == {"integrations"}


def test_names_leave_room_for_what_kubernetes_appends(helm: Helm) -> None:
    text = helm.run("template", "a" * 53, CHART, "--set", "demo=true", "--kube-version", "1.37")
    names = [each["metadata"]["name"] for each in yaml.safe_load_all(text) if each]

    assert {"a" * 52, f"{'a' * 52}-test"} == set(names)
