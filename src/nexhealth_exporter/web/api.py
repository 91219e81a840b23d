"""`/api/v1`: the facts of the pages as JSON."""

from typing import Any

import msgspec
from aiohttp import web

from nexhealth_exporter.formatting import rfc3339
from nexhealth_exporter.report import Row, Selection, SelectionError, facts_of_row, pick, summarise
from nexhealth_exporter.report.facts import facts_of_fleet, facts_of_institution
from nexhealth_exporter.report.row import rows, rows_of
from nexhealth_exporter.web.links import institution_path
from nexhealth_exporter.web.view import View


class Api:
    """Two resources, read only."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def syncs(self, request: web.Request) -> web.Response:
        """The syncs asked for, worst first, a page at a time, and the fleet in figures."""
        try:
            selection = Selection.of(request.query)
        except SelectionError as error:
            return self.refusal(400, str(error))
        fleet, now = self._view.fleet(), self._view.now()
        found = rows(fleet, now)
        picked = pick(found, selection)
        return answer(
            {
                "now": rfc3339(now),
                "shard": self._view.shard,
                "shards": self._view.shards,
                "fleet": facts_of_fleet(fleet, summarise(fleet, found)),
                "total": picked.total,
                "page": picked.page,
                "pages": picked.pages,
                "per_page": selection.per_page,
                "syncs": [self._facts(row) for row in picked.rows],
            }
        )

    async def institution(self, request: web.Request) -> web.Response:
        """One institution with its syncs."""
        fleet, now = self._view.fleet(), self._view.now()
        subdomain = request.match_info["subdomain"]
        standing = fleet.standings.get(subdomain)
        if standing is None:
            elsewhere = self._view.elsewhere(subdomain)
            return self.refusal(404, f"no such institution is watched here{elsewhere}")
        found = [row for row in rows_of(standing, fleet, now) if row.sync is not None]
        return answer(
            {
                "now": rfc3339(now),
                **facts_of_institution(standing),
                "syncs": [self._facts(row) for row in found],
            }
        )

    def refusal(self, status: int, sentence: str) -> web.Response:
        """An error as JSON."""
        return answer({"error": sentence}, status)

    def _facts(self, row: Row) -> dict[str, Any]:
        base = self._view.external_url
        path = institution_path(row.standing.institution.subdomain)
        return facts_of_row(row) | {"url": f"{base}/{path}" if base else None}


def answer(value: object, status: int = 200) -> web.Response:
    """A value as JSON."""
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
