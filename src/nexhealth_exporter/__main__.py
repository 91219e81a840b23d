"""The program: `nexhealth-exporter`, or `python -m nexhealth_exporter`."""

import gc
import sys


def main() -> int:
    """Run the command line; the exit code."""
    # What is imported stays: to search it for garbage would take a good part of the start.
    gc.disable()
    from nexhealth_exporter import cli  # noqa: PLC0415

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
