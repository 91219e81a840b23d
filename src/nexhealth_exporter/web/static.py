"""Style sheet, script and icon, from the package."""

import hashlib
from collections.abc import Mapping
from importlib import resources

import msgspec
from aiohttp import web

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Static(msgspec.Struct, frozen=True):
    """The files by name; `version` changes with their content, for the address in pages."""

    files: Mapping[str, bytes]
    version: str

    @classmethod
    def load(cls) -> "Static":
        """Everything in the folder."""
        folder = resources.files(__package__).joinpath("static")
        files = {
            file.name: file.read_bytes()
            for file in sorted(folder.iterdir(), key=lambda each: each.name)
            if file.name.rpartition(".")[2] in _TYPES
        }
        digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()
        return cls(files, digest[:12])

    async def get(self, request: web.Request) -> web.Response:
        """One file."""
        name = request.match_info["name"]
        if name not in self.files:
            raise web.HTTPNotFound
        return web.Response(
            body=self.files[name],
            content_type=_TYPES[name.rpartition(".")[2]],
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=86400"},
        )
