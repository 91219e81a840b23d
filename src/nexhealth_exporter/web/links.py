"""Relative links between our own pages, so that they work behind any path prefix."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode


def institution_path(subdomain: str) -> str:
    """The path of an institution's page, without a slash in front."""
    return f"institutions/{quote(subdomain, safe='')}"


def api_path(subdomain: str) -> str:
    """The path of an institution's JSON, without a slash in front."""
    return f"api/v1/institutions/{quote(subdomain, safe='')}"


def with_query(path: str, query: Mapping[str, str]) -> str:
    """The path with that query, if there is one."""
    return f"{path}?{urlencode(query)}" if query else path


def root_of(raw_path: str) -> str:
    """The relative path from the page at `raw_path` to `/`: "./", "../", "../../" and so on."""
    return "../" * (raw_path.count("/") - 1) or "./"
