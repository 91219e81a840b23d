"""Which format a client is answered in, as prometheus-client decides it."""

from typing import NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

_OPENMETRICS, _OPENMETRICS_1 = "application/openmetrics-text", "1.0.0"


class Format(NamedTuple):
    """A format of the page: OpenMetrics or the text format, and its Content-Type."""

    openmetrics: bool
    content_type: str


TEXT = Format(openmetrics=False, content_type=CONTENT_TYPE_PLAIN_0_0_4)
OPENMETRICS = Format(openmetrics=True, content_type=CONTENT_TYPE_LATEST)


def negotiated(accept: str) -> Format:
    """The format for that Accept header; the text format when nothing better is asked for."""
    try:
        _, content_type = choose_encoder(accept)
    except TypeError:
        # A version that holds more than numbers, such as "1.x", cannot be compared.
        return TEXT
    if not content_type.startswith(_OPENMETRICS):
        return Format(openmetrics=False, content_type=content_type)
    if f"version={_OPENMETRICS_1};" in content_type:
        return Format(openmetrics=True, content_type=content_type)
    return OPENMETRICS
