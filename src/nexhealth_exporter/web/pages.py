"""The pages for people: the fleet, an institution, and errors."""

from aiohttp import web

from nexhealth_exporter.report import Selection, SelectionError, overdue_rows, pick, summarise
from nexhealth_exporter.report.row import Condition, rows, rows_of
from nexhealth_exporter.report.selection import OVERDUE
from nexhealth_exporter.web import html
from nexhealth_exporter.web.links import root_of
from nexhealth_exporter.web.static import Static
from nexhealth_exporter.web.view import View


class Pages:
    """Renders the latest fleet; keeps nothing between requests."""

    def __init__(self, view: View, static: Static) -> None:
        self._view = view
        self._static = static

    async def fleet(self, request: web.Request) -> web.Response:
        """Figures first, then the syncs asked for, worst first."""
        try:
            selection = Selection.of(request.query)
        except SelectionError as error:
            return self.refusal(request, 400, f"{error}.")
        fleet, now = self._view.fleet(), self._view.now()
        found = rows(fleet, now)
        return self._page(
            request,
            "fleet.html",
            now=now,
            summary=summarise(fleet, found),
            worst=found[0] if found and found[0].is_overdue else None,
            resting=next((row for row in found if row.condition is Condition.RESTING), None),
            picked=pick(found, selection),
            selection=selection,
            states=(OVERDUE, *Condition),
            shard=self._view.shard,
            shards=self._view.shards,
        )

    async def institution(self, request: web.Request) -> web.Response:
        """Why the syncs of one institution stand as they do."""
        subdomain = request.match_info["subdomain"]
        fleet, now = self._view.fleet(), self._view.now()
        standing = fleet.standings.get(subdomain)
        if standing is None:
            elsewhere = self._view.elsewhere(subdomain)
            sentence = f"No institution “{subdomain}” is watched here{elsewhere}."
            return self.refusal(request, 404, sentence)
        return self._page(
            request,
            "institution.html",
            now=now,
            standing=standing,
            rows=rows_of(standing, fleet, now),
            overdue=overdue_rows(fleet, now),
            incidents=fleet.incidents,
        )

    def refusal(self, request: web.Request, status: int, sentence: str) -> web.Response:
        """A page that says what is wrong, with a link back to the fleet."""
        return self._page(
            request, "refusal.html", status, now=self._view.now(), sentence=sentence, code=status
        )

    def _page(
        self, request: web.Request, template: str, status: int = 200, **values: object
    ) -> web.Response:
        text = html.render(
            template,
            root=root_of(request.rel_url.raw_path),
            static_version=self._static.version,
            **values,
        )
        # A lone surrogate in a name must not cost the page.
        return web.Response(
            body=text.encode(errors="replace"),
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers={"Cache-Control": "no-store"},
        )
