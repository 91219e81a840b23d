"""What all tests and the real binaries that they start can rely on."""

import os
from importlib.resources import files

from hypothesis import settings

# A machine may be busy: no example fails because it took long.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Alertmanager and amtool, written in Go, take time zones from the system, which may have none.
os.environ.setdefault("ZONEINFO", str(files("tzdata") / "zoneinfo"))
