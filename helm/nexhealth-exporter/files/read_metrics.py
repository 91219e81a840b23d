"""Read a metrics page until it has lag series: read_metrics.py URL SECONDS.

USERNAME and PASSWORD come from the environment where the page asks for them. The certificate is
not checked: the page is inside the cluster, and its name is the Service's.
Exit code 0 when found, 1 when time is up.
"""
# ruff: noqa: INP001, T201 - a script that speaks to the test's log

import base64
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

WANTED = ("nexhealth_sync_read_lag_seconds", "nexhealth_sync_write_lag_seconds")


def page(url: str) -> str:
    """The text of the page: only what is wanted, since all of a large fleet's is megabytes."""
    asked = urllib.parse.urlencode([("name[]", name) for name in WANTED])
    request = urllib.request.Request(f"{url}?{asked}")  # noqa: S310  the operator's own address
    if "USERNAME" in os.environ:
        pair = f"{os.environ['USERNAME']}:{os.environ['PASSWORD']}".encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        return str(answer.read(), "utf-8")


def lag_series(url: str) -> int:
    """How many lag series the page has; 0 while there is no page."""
    try:
        lines = page(url).splitlines()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        print(f"{url}: {error}", flush=True)
        return 0
    return sum(line.startswith(WANTED) for line in lines)


def main(url: str, seconds: float) -> int:
    """Look every two seconds until there is something to see."""
    end = time.monotonic() + seconds
    while True:
        found = lag_series(url)
        if found:
            print(f"{url}: {found} lag series")
            return 0
        if time.monotonic() > end:
            print(f"{url}: no lag series in {seconds:g} s: see the exporter's log and /-/ready")
            return 1
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
