"""From the API's entries to the values of `model`: the only package that knows the API's words.

sync_entries       the syncs of one institution, or of all
inventory_entries  institutions, and the locations in all entries
token_entry        the token that authenticating gives
vocabulary         the API's words for types and colours

Names and words are interned, so that a fleet holds each once, however often it is received.
"""

from nexhealth_exporter.nexhealth.payload.inventory_entries import institutions, merged
from nexhealth_exporter.nexhealth.payload.sync_entries import fleet, syncs
from nexhealth_exporter.nexhealth.payload.token_entry import bearer_token
from nexhealth_exporter.nexhealth.payload.vocabulary import (
    COLOURS,
    TYPES,
    integration_type,
    is_green,
)

__all__ = [
    "COLOURS",
    "TYPES",
    "bearer_token",
    "fleet",
    "institutions",
    "integration_type",
    "is_green",
    "merged",
    "syncs",
]
