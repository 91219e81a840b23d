"""The application: which path is answered by what."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from nexhealth_exporter.web.guard import careful, identified
from nexhealth_exporter.web.plain import Plain
from nexhealth_exporter.web.scrape import Scrape
from nexhealth_exporter.web.server import MOST_BODY
from nexhealth_exporter.web.static import Static
from nexhealth_exporter.web.view import MetricsPage, View

if TYPE_CHECKING:
    from nexhealth_exporter.web.api import Api
    from nexhealth_exporter.web.pages import Pages


def build(view: View, page: MetricsPage) -> web.Application:
    """The application for that view; it holds no state of its own."""
    static = Static.load()
    plain = Plain(view)
    people = _People(view, static)
    app = web.Application(
        middlewares=[identified(view.access), _explained(people)], client_max_size=MOST_BODY
    )
    app.add_routes(
        [
            web.get("/metrics", Scrape(view, page).get),
            web.get("/-/healthy", plain.healthy),
            web.get("/-/ready", plain.ready),
            web.get("/config", plain.config),
            web.get("/api/v1/syncs", _found(lambda: people.json.syncs)),
            web.get(
                "/api/v1/institutions/{subdomain:[^/]+}", _found(lambda: people.json.institution)
            ),
            web.get("/static/{name}", static.get),
            web.get("/institutions/{subdomain:[^/]+}", _found(lambda: people.pages.institution)),
            web.get("/", _found(lambda: people.pages.fleet)),
        ]
    )
    app.on_response_prepare.append(careful(view.access))
    return app


class _People:
    """What answers people, imported when the first of them asks: Prometheus is answered before."""

    def __init__(self, view: View, static: Static) -> None:
        self._view = view
        self._static = static

    @cached_property
    def pages(self) -> "Pages":
        """The pages."""
        from nexhealth_exporter.web.pages import Pages  # noqa: PLC0415

        return Pages(self._view, self._static)

    @cached_property
    def json(self) -> "Api":
        """The same facts as JSON."""
        from nexhealth_exporter.web.api import Api  # noqa: PLC0415

        return Api(self._view)


def _found(find: Callable[[], Handler]) -> Handler:
    """The handler that is found when there is a request."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await find()(request)

    return handle


def _explained(people: _People) -> Middleware:
    """Middleware that gives refusals in the form in which the answer would have come."""

    @web.middleware
    async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            sentence = error.reason if error.status != 404 else "There is nothing at this address."  # noqa: PLR2004
            refused = (
                people.json.refusal(error.status, sentence)
                if request.path.startswith("/api/")
                else people.pages.refusal(request, error.status, sentence)
            )
            if hdrs.ALLOW in error.headers:
                refused.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            return refused

    return explain
