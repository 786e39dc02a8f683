"""The panels of deploy/grafana, with what Grafana would ask Prometheus for them."""

import dataclasses
import json
import pathlib
import re

FOLDER = pathlib.Path("deploy/grafana/dashboards")


@dataclasses.dataclass
class Target:
    """A query of a panel."""
    expression: str
    legend: str
    instant: bool


@dataclasses.dataclass
class Panel:
    """A panel of a dashboard; `spec` is its JSON."""
    dashboard: str
    row: str
    title: str
    targets: list
    spec: dict


def read_panels(interval, layers):
    """Returns the panels of all dashboards, but for rows. Replaces the variables: the seconds of rates, and the sparse
    layers; a panel that is repeated for each layer is there for each."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        row = ""
        for spec in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            if spec["type"] == "row":
                row = spec["title"]
                continue
            repeated = spec.get("repeat") == "layer"
            for values in ([layer] for layer in layers) if repeated else [layers]:
                def fill(text, values=values):
                    text = text.replace("$__rate_interval", f"{interval}s")
                    return text.replace("$layer", "|".join(values))
                found.append(Panel(path.stem, row, fill(spec["title"]),
                                   [Target(fill(target["expr"]), target.get("legendFormat", ""),
                                           target.get("instant", False)) for target in spec["targets"]], spec))
    return found


def metrics_of(expression):
    """Returns the names of the metrics, and of recorded series, in a query."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    return set(re.findall(r"\b(?:\w+:)?(?:apollo|process)_[\w:]+|\bup\b|\bALERTS\b", bare))
