"""Probes and the configuration: short answers in plain text."""

from aiohttp import web

from nexhealth_exporter.web.view import View


class Plain:
    """Liveness, readiness, configuration."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def healthy(self, _request: web.Request) -> web.Response:
        """Liveness: 503 only if a restart of this process would help."""
        return _verdict(self._view.unhealthy(), "healthy")

    async def ready(self, _request: web.Request) -> web.Response:
        """Readiness: 503 until there is something to show."""
        return _verdict(self._view.unready(), "ready")

    async def config(self, _request: web.Request) -> web.Response:
        """The configuration in force."""
        return web.Response(text=self._view.configuration(), headers={"Cache-Control": "no-store"})


def _verdict(objection: str | None, word: str) -> web.Response:
    text = f"nexhealth-exporter is {word}.\n" if objection is None else f"{objection}\n"
    return web.Response(
        text=text,
        status=200 if objection is None else 503,
        headers={"Cache-Control": "no-store"},
    )
