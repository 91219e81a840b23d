"""The fleet at an instant as people ask about it: what is down, what rests, and why.

Pure: a `Fleet` and an instant go in. The pages, the JSON and `status` show the same rows.
"""

from nexhealth_exporter.report.facts import facts_of_row
from nexhealth_exporter.report.row import Condition, Row, overdue_rows, rows
from nexhealth_exporter.report.selection import Selection, SelectionError, pick
from nexhealth_exporter.report.story import why
from nexhealth_exporter.report.summary import summarise

__all__ = [
    "Condition",
    "Row",
    "Selection",
    "SelectionError",
    "facts_of_row",
    "overdue_rows",
    "pick",
    "rows",
    "summarise",
    "why",
]
