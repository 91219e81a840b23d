"""Write docs/metrics.md: every metric, from the table that the program itself uses."""

import sys
from collections.abc import Sequence

from generated import ROOT, write_or_check

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.table import Family

HEAD = """\
<!-- Made by tools/metrics_page.py; do not edit. -->

# Metrics

`/metrics` answers in the text format 0.0.4 or in OpenMetrics 1.0, as the client requests.

- NexHealth limits the rate of calls and may bill each of them, so this exporter polls at its own
  interval and caches the answers: **a scrape never calls the API**, however many Prometheus servers
  there are. `nexhealth_institution_last_poll_timestamp_seconds` shows how old an answer is.
- Lag and unexpected lag are computed at scrape time (at most an eighth of a second before it), in
  whole milliseconds.
- A value that is not known has no sample: never 0, never NaN.
- `name[]` limits the response to the named metrics, as in `/metrics?name[]=nexhealth_up`.

## How many series

A sync has 18 series, and one more while it rests. An institution has 4. The fleet and the process
have about a hundred. Prometheus scrapes 10,000 syncs in a fifth of a second
([figures](performance.md)), so you do not need to raise the scrape timeout.

If that is too many, leave out institutions (`EXCLUDE`, `monitored: false`), or drop the series that
no rule and no alert text reads with `metric_relabel_configs`:

```text
nexhealth_sync_read_lag_seconds nexhealth_sync_write_lag_seconds
nexhealth_sync_read_up nexhealth_sync_write_up
```
"""

TAIL = """
## Process metrics

`process_*` (memory, CPU time, file descriptors, start time; on Linux) and `python_info` come from
prometheus-client.
"""


def section(title: str, families: Sequence[Family]) -> str:
    """A heading and a table of these metrics."""
    rows = [f"\n## {title}\n", "| Metric | Type | Labels | Meaning |", "| --- | --- | --- | --- |"]
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        cells = (f"`{family.name}`", family.kind.value, labels, family.help)
        rows.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(rows) + "\n"


def page() -> str:
    """The whole page."""
    sections: dict[str, list[Family]] = {"Sync": [], "Institution": [], "Fleet": []}
    for family in table.OF_FLEET:
        is_of_institution = "institution" in family.labels
        of = "Sync" if "sync" in family.labels else "Institution" if is_of_institution else "Fleet"
        sections[of].append(family)
    sections["Exporter"] = list(table.OWN)
    tables = [section(f"{of} metrics", families) for of, families in sections.items()]
    return "".join([HEAD, *tables, TAIL])


if __name__ == "__main__":
    sys.exit(write_or_check({ROOT / "docs/metrics.md": page()}))
