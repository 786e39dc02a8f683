#!/usr/bin/env python3
"""Writes components/monitoring/prometheus_rule.yaml: the rules of deploy/prometheus, for the Prometheus operator.

Usage: make_rules.py [--check]
  --check  writes nothing; exits with 1 if the file is not what would be written
"""

import pathlib
import sys

# Not resolve(), because Bazel's files are links.
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
from manifests import HERE, yaml  # noqa: E402

FILES = [HERE.parent / "prometheus" / name for name in ("recording_rules.yml", "alerts.yml")]
TARGET = HERE / "components" / "monitoring" / "prometheus_rule.yaml"


class Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def made():
    groups = [group for file in FILES for group in yaml.safe_load(file.read_text())["groups"]]
    item = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
            "metadata": {"name": "apollo-moe", "namespace": "apollo"}, "spec": {"groups": groups}}
    return ("# The rules of deploy/prometheus. Written by make_rules.py.\n"
            + yaml.dump(item, Dumper=Dumper, sort_keys=False, width=120))


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__.strip())
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    if not sys.argv[1:]:
        TARGET.write_text(made())
        return 0
    if TARGET.exists() and TARGET.read_text() == made():
        return 0
    print(f"{TARGET} is not what {pathlib.Path(__file__).name} makes of {FILES[0].parent}: run it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
