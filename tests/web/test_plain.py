"""Probes, configuration, refusals, and headers that every answer carries."""

import base64

import pytest

from nexhealth_exporter.web.view import Access
from tests.web.conftest import NOON, Site, named

PATHS = (
    "/",
    "/metrics",
    "/-/healthy",
    "/-/ready",
    "/config",
    "/api/v1/syncs",
    "/api/v1/institutions/smiles",
    "/institutions/smiles",
    "/static/pages.css",
)


async def test_probes_say_yes_or_why_not(site: Site) -> None:
    assert await site.text("/-/healthy") == "nexhealth-exporter is healthy.\n"
    assert await site.text("/-/ready") == "nexhealth-exporter is ready.\n"

    site.unready = "The first round has not ended."
    assert await site.text("/-/ready", 503) == "The first round has not ended.\n"
    assert await site.text("/-/healthy") == "nexhealth-exporter is healthy.\n"

    site.unhealthy = "Polling is stuck."
    assert await site.text("/-/healthy", 503) == "Polling is stuck.\n"


async def test_the_configuration_is_plain_text_whatever_it_holds(site: Site) -> None:
    site.configuration = "api_key: <hidden>\n# <script>alert(1)</script>\n"

    async with site.get("/config") as response:
        assert response.content_type == "text/plain"
        assert site.configuration == await response.text()


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_keeps_browsers_careful(site: Site, path: str) -> None:
    site.world.poll(NOON, named("Main", None, NOON))

    async with site.get(path) as response:
        headers = response.headers

    assert response.status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "aiohttp" not in headers["Server"]


async def test_the_operators_headers_win(site: Site) -> None:
    site.access = Access(headers={"Strict-Transport-Security": "max-age=1", "X-Frame-Options": "x"})

    async with site.get("/metrics") as response:
        assert response.headers["Strict-Transport-Security"] == "max-age=1"
        assert response.headers.getall("X-Frame-Options") == ["x"]


async def test_what_is_not_there_is_refused_in_its_own_form(site: Site) -> None:
    page = await site.page("/no/such/place", 404)
    assert page.one("h1").text == "There is nothing at this address."
    assert page.one("a", class_="brand").attributes["href"] == "../../"

    assert await site.json("/api/v1/other", 404) == {"error": "There is nothing at this address."}
    await site.page("/static/../app.py", 404)
    await site.page("/static/%2e%2e%2fapp.py", 404)


async def test_only_reading_is_allowed(site: Site) -> None:
    for path in PATHS:
        async with site.get(path, "POST") as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET,HEAD"


def basic(user: str, password: str) -> dict[str, str]:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


async def verify(user: str, password: str) -> bool:
    return (user, password) == ("prometheus", "corréct: horse")


@pytest.mark.parametrize("path", [*PATHS, "/no/such/place"])
async def test_name_and_password_are_asked_for_on_every_path(site: Site, path: str) -> None:
    site.world.poll(NOON, named("Main", None, NOON))
    site.access = Access(verify)

    async with site.get(path) as refused:
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic ")
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
    async with site.get(path, headers=basic("prometheus", "corréct: horse")) as allowed:
        assert allowed.status in {200, 404}


@pytest.mark.parametrize(
    "authorization",
    [
        *("", "Basic", "Basic ???", "Basic bm9jb2xvbg==", "Basic /w==", "Bearer cHJvbTp4"),
        *("basic Og==", "Basic \u00e9\u00e8", "Basic \U0001f511"),
    ],
)
async def test_nonsense_is_not_a_password(site: Site, authorization: str) -> None:
    site.access = Access(verify)

    async with site.get("/metrics", headers={"Authorization": authorization}) as response:
        assert response.status == 401


async def test_who_may_ask_can_change_while_it_runs(site: Site) -> None:
    await site.text("/metrics")
    site.access = Access(verify)
    await site.text("/metrics", 401)
    site.access = Access()
    await site.text("/metrics")
