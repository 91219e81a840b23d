"""Write the table of settings into docs/settings.md and, between its marks, into README.md.

With --check nothing is written; the exit code is 1 if a page is not as it would be written.
"""

import re
import sys
from pathlib import Path

from nexhealth_exporter.settings import markdown_table

ROOT = Path(__file__).parent.parent

PAGE = """# Settings

Made by `tools/settings_page.py` from the descriptions in the code.

Every setting is an environment variable and a flag; the flag wins. An empty text counts as not set;
of several shards none starts with an empty `SHARD`, since it would take the part of another.
`serve` requires the API key only; the other commands that ask the API require it too.
The key has no flag, because flags can be seen in the process list: give a variable or a file.
A variable that begins with `NEXHEALTH_EXPORTER_` and is not in this table is an error, except what
Kubernetes puts into a pod for a Service of that name.
Durations are seconds, at least 1.
What is said of offices, and TLS and basic auth, stand in files: see
[configuration.md](configuration.md).

{table}"""

MARKED = re.compile(r"(<!-- settings -->\n)(.*?)(<!-- /settings -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Each page as it should be."""
    readme = ROOT / "README.md"
    table = markdown_table()
    text = readme.read_text("utf-8")
    return {
        ROOT / "docs" / "settings.md": PAGE.format(table=table),
        readme: MARKED.sub(lambda found: f"{found[1]}{table}{found[3]}", text),
    }


def main() -> int:
    """Write the pages, or check them."""
    old = {
        path: text
        for path, text in pages().items()
        if not path.exists() or path.read_text("utf-8") != text
    }
    for path, text in old.items():
        name = path.relative_to(ROOT)
        if "--check" in sys.argv:
            print(f"{name} is out of date: run `{Path(__file__).relative_to(ROOT)}`.")
        else:
            path.write_text(text, "utf-8")
    return 1 if old and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
