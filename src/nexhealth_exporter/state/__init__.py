"""What was learned, in a small SQLite database: it outlives restarts, and kills at any moment.

A row holds what is known of one sync, or the last answer about one institution: so whoever was
overdue before a restart is so after it, whether the API answers or not.

rows      a fleet as rows of the tables, and back
database  opened, checked, and read without being changed; what its errors mean
file      the file while the exporter writes it
reading   a file that is only read, or cannot be written yet
"""

from nexhealth_exporter.state.database import require_usable
from nexhealth_exporter.state.file import StateFile
from nexhealth_exporter.state.reading import Unwritten, remembered
from nexhealth_exporter.state.rows import FORGOTTEN_AFTER, SCHEMA, TABLES

__all__ = [
    "FORGOTTEN_AFTER",
    "SCHEMA",
    "TABLES",
    "StateFile",
    "Unwritten",
    "remembered",
    "require_usable",
]
