import ipaddress

import pytest

from tests.chart.charts import Helm, Object, environment, exporter, one


@pytest.fixture(scope="module")
def closed(scenarios: dict[str, list[Object]]) -> Object:
    policy: Object = one(scenarios["closed-network"], "NetworkPolicy")["spec"]
    return policy


@pytest.fixture(scope="module")
def plain(scenarios: dict[str, list[Object]]) -> Object:
    policy: Object = one(scenarios["everything"], "NetworkPolicy")["spec"]
    return policy


def test_the_policy_is_about_the_exporter_s_pods_both_ways(
    scenarios: dict[str, list[Object]], closed: Object
) -> None:
    labels = one(scenarios["closed-network"], "StatefulSet")["spec"]["template"]["metadata"][
        "labels"
    ]

    assert closed["podSelector"]["matchLabels"].items() <= labels.items()
    assert closed["policyTypes"] == ["Ingress", "Egress"]


def test_only_the_port_of_the_pages_is_open(
    scenarios: dict[str, list[Object]], plain: Object
) -> None:
    (rule,) = plain["ingress"]
    (port,) = rule["ports"]

    assert port["port"] in [each["name"] for each in exporter(scenarios["everything"])["ports"]]
    assert "from" not in rule


def test_only_those_who_are_named_and_the_test_get_in(
    scenarios: dict[str, list[Object]], closed: Object
) -> None:
    (rule,) = closed["ingress"]
    prometheus, test = rule["from"]
    labels = one(scenarios["closed-network"], "Pod")["metadata"]["labels"]

    assert {"namespaceSelector", "podSelector"} == set(prometheus)
    assert test["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_way_out_is_dns_and_the_public_api(plain: Object) -> None:
    dns, api = plain["egress"]
    blocks = [each["ipBlock"] for each in api["to"]]

    assert {("UDP", 53), ("TCP", 53)} == {(port["protocol"], port["port"]) for port in dns["ports"]}
    assert [port["port"] for port in api["ports"]] == [443]
    assert reachable("203.0.113.7", blocks)
    assert reachable("2001:db8::7", blocks)
    assert not reachable("10.96.0.1", blocks)
    assert not reachable("169.254.169.254", blocks)
    assert not reachable("fd00::1", blocks)


def reachable(address: str, blocks: list[Object]) -> bool:
    """Whether the blocks of a policy let that address pass."""
    ip = ipaddress.ip_address(address)
    return any(
        ip in ipaddress.ip_network(block["cidr"])
        and not any(ip in ipaddress.ip_network(each) for each in block["except"])
        for block in blocks
    )


def test_the_way_out_can_be_a_gateway_and_more(closed: Object) -> None:
    dns, api, prometheus = closed["egress"]

    assert dns["to"][0]["podSelector"]
    assert api["to"] == [{"ipBlock": {"cidr": "10.20.30.40/32"}}]
    assert [port["port"] for port in api["ports"]] == [8443]
    assert [port["port"] for port in prometheus["ports"]] == [9090]


def test_a_demo_has_no_way_out_but_dns(helm: Helm) -> None:
    policy = one(helm.objects({"demo": True, "networkPolicy": {"enabled": True}}), "NetworkPolicy")
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}

    assert {53} == ports


def test_a_service_can_be_of_both_families_and_the_pages_listen_on_both(
    scenarios: dict[str, list[Object]],
) -> None:
    """`[::]` is IPv6 alone, so that the kubelet of a cluster with both would not get through."""
    objects = scenarios["everything"]
    service = one(objects, "Service")["spec"]

    assert service["ipFamilyPolicy"] == "PreferDualStack"
    assert service["ipFamilies"] == ["IPv6", "IPv4"]
    assert environment(objects)["NEXHEALTH_EXPORTER_LISTEN_ADDRESS"] == ":9000"
