"""What the operator sets by environment variable or flag: the only place that knows their names."""

from nexhealth_exporter.settings.api_key import ApiKey
from nexhealth_exporter.settings.loading import add_arguments, load, overrides
from nexhealth_exporter.settings.masked import masked
from nexhealth_exporter.settings.model import Settings, variable
from nexhealth_exporter.settings.proxy import proxy_to, without_password
from nexhealth_exporter.settings.table import markdown_table
from nexhealth_exporter.settings.values import Exposition, ListenAddress, LogLevel

__all__ = [
    "ApiKey",
    "Exposition",
    "ListenAddress",
    "LogLevel",
    "Settings",
    "add_arguments",
    "load",
    "markdown_table",
    "masked",
    "overrides",
    "proxy_to",
    "variable",
    "without_password",
]
