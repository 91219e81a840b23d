"""`python -m nexhealth_exporter` is the program."""

import sys

from nexhealth_exporter.cli import main

if __name__ == "__main__":
    sys.exit(main())
