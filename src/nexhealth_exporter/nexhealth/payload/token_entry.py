"""The token in an answer of `/authenticates`."""

from typing import Any

import msgspec

from nexhealth_exporter.errors import DECODING, Malformed
from nexhealth_exporter.nexhealth.envelope import Envelope
from nexhealth_exporter.nexhealth.scalars import text


class _TokenEntry(msgspec.Struct):
    token: Any = None


_decoder = msgspec.json.Decoder(_TokenEntry)


def bearer_token(envelope: Envelope) -> str:
    """The token. Raises Malformed if there is none that can be sent in a header."""
    try:
        token = text(_decoder.decode(envelope.data[0]).token) if envelope.data else ""
    except DECODING:
        token = ""
    if not token or not token.isascii() or " " in token:
        raise Malformed("The answer to authenticating holds no usable token.")
    return token
