"""What every real binary that the tests start can rely on."""

import os
from importlib.resources import files

# Alertmanager and amtool, written in Go, take time zones from the system, which may have none.
os.environ.setdefault("ZONEINFO", str(files("tzdata") / "zoneinfo"))
