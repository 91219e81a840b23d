"""Which way leads to the API."""

import pytest

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings import proxy_to, without_password

API = "https://nexhealth.info"
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        ({"HTTPS_PROXY": "http://me:word@proxy.example:3128"}, "http://me:word@proxy.example:3128"),
        ({"HTTPS_PROXY": f"{PROXY}/"}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8,.cluster.local"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": ".cluster.local, nexhealth.info"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "info"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "health.info,nexhealth.info:8443,."}, PROXY),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*"}, None),
    ],
)
def test_the_way_is_that_of_the_variables_that_programs_share(
    environ: dict[str, str], way: str | None
) -> None:
    assert proxy_to(API, environ) == way


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_no_proxy_leads_to_this_very_machine(host: str) -> None:
    assert proxy_to(f"http://{host}:10640", {"HTTP_PROXY": PROXY}) is None


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:word@proxy:1080",
        "http://",
        "http://me:word@proxy:99999",
        "http://[me",
        "http://me:word@proxy..example:3128",
        f"http://{'x' * 64}:3128",
        "http://the proxy:3128",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY must be an address") as refused:
        proxy_to(API, {"HTTPS_PROXY": proxy})
    assert "word" not in str(refused.value)


def test_what_is_shown_of_a_proxy_has_no_password() -> None:
    assert without_password("http://me:word@proxy.example:3128") == PROXY
    assert without_password(PROXY) == PROXY
