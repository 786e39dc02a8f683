#!/usr/bin/env python3
"""Makes the files of dashboards/: one for each dashboard, with a stable uid and a variable for the data source.

Usage: deploy/grafana/dashboards.py [--check]
  --check  changes nothing; exit code 1 if the files are not those that this program makes

Needs grafana-foundation-sdk (tools/install_packages.sh --dev).
"""

import os
import pathlib
import sys

CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
sys.path.insert(0, os.path.join(CACHE, "apollo-moe", "style-tools"))
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
import callers  # noqa: E402
import languages  # noqa: E402
import overview  # noqa: E402
import workers  # noqa: E402

FOLDER = pathlib.Path(__file__).absolute().parent / "dashboards"
DASHBOARDS = {"overview": overview, "languages": languages, "workers": workers, "callers": callers}


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__.strip())
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    made = {FOLDER / f"{name}.json": JSONEncoder(sort_keys=True, indent=1).encode(module.make()) + "\n"
            for name, module in DASHBOARDS.items()}
    if not sys.argv[1:]:
        for path, text in made.items():
            path.write_text(text, encoding="utf-8")
        return 0
    there = {path: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    different = sorted(str(path) for path in made.keys() | there.keys() if made.get(path) != there.get(path))
    for path in different:
        print(f"{path} is not what {sys.argv[0]} makes; run it without --check", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
