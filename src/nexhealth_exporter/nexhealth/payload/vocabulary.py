"""The API's words for where a product runs, and for the colours of a sync."""

from nexhealth_exporter.model import IntegrationType
from nexhealth_exporter.nexhealth.scalars import text

COLOURS = {"green": True, "red": False}
"""What `read_status` and `write_status` say, and whether it is good."""

TYPES = {"onprem": IntegrationType.SERVER, "cloud": IntegrationType.CLOUD}
"""What `type` of a product says."""

TYPES_BY_PRODUCT = {
    **dict.fromkeys(("dentrix", "eaglesoft", "opendental"), IntegrationType.SERVER),
    **dict.fromkeys(
        (
            "athena",
            "cloud9",
            "curve2",
            "denticon",
            "dentrixascend",
            "drchrono",
            "ecw",
            "modmed",
            "nextgen",
        ),
        IntegrationType.CLOUD,
    ),
}
"""For answers that name the product but leave its type out."""


def is_green(status: object) -> bool | None:
    """Whether a status is green; None if it is neither green nor red."""
    if status == "green":  # as nearly always
        return True
    return COLOURS.get(text(status).lower())


def integration_type(kind: object) -> IntegrationType | None:
    """Where a product of that `type` runs; None if it is none of the API's words."""
    return TYPES.get(text(kind).lower())
