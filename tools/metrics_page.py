"""Write docs/metrics.md: every metric, from the table that the program itself uses.

python tools/metrics_page.py > docs/metrics.md
"""

from collections.abc import Sequence

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.table import Family

HEAD = """\
<!-- Made by tools/metrics_page.py; do not edit. -->

# Metrics

`/metrics` answers in the text format 0.0.4 or in OpenMetrics 1.0, as the client asks.

NexHealth limits the rate of calls and may bill each of them, so this exporter polls on its own
interval and keeps the answers: **a scrape never calls the API**, however many Prometheus servers
there are. `nexhealth_institution_last_poll_timestamp_seconds` tells how old an answer is.
Lag and unexpected lag are computed at the moment of the scrape (an eighth of a second at most
before it) and told in whole milliseconds.

What is not known has no sample: never 0, never NaN.

`name[]` limits the page to the metrics named, as in `/metrics?name[]=nexhealth_up`.

## How many series

A sync has 18, one more while it rests; an institution has 4; the fleet and the process have about a
hundred. Prometheus reads 10,000 syncs in a fifth of a second ([figures](performance.md)), so no
scrape timeout has to be raised. Where that is too many, leave out institutions (`EXCLUDE`,
`monitored: false`), or drop with `metric_relabel_configs` what no rule and no text of an alert
reads:

```text
nexhealth_sync_read_lag_seconds nexhealth_sync_write_lag_seconds
nexhealth_sync_read_up nexhealth_sync_write_up
```
"""

TAIL = """
## Of the process

`process_*` (memory, CPU time, file descriptors, start time; on Linux) and `python_info`
are those of prometheus-client.
"""


def section(title: str, families: Sequence[Family]) -> str:
    """A heading and a table of these metrics."""
    rows = [f"\n## {title}\n", "| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        cells = (f"`{family.name}`", family.kind.value, labels, family.help)
        rows.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(rows) + "\n"


def main() -> None:
    """Print the page."""
    of_syncs = [family for family in table.OF_FLEET if "sync" in family.labels]
    of_offices = [
        family
        for family in table.OF_FLEET
        if "institution" in family.labels and family not in of_syncs
    ]
    of_fleet = [
        family for family in table.OF_FLEET if family not in of_syncs and family not in of_offices
    ]
    print(HEAD, end="")
    print(section("Of each sync", of_syncs), end="")
    print(section("Of each institution", of_offices), end="")
    print(section("Of the fleet", of_fleet), end="")
    print(section("Of the exporter", table.OWN), end="")
    print(TAIL, end="")


if __name__ == "__main__":
    main()
