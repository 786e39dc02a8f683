"""Draws the panels of a dashboard with matplotlib, about as Grafana would."""

import math
import re

import matplotlib
import numpy

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import LinearSegmentedColormap  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator  # noqa: E402
from PIL import Image  # noqa: E402

CELL_WIDTH, CELL_HEIGHT = 0.6, 0.22  # Inches of one of Grafana's cells.
COLUMNS = 24
PAGE, PANEL, TEXT, FAINT = "#111217", "#181b1f", "#ccccdc", "#8e8e99"
PALETTE = ("#73BF69", "#F2CC0C", "#5794F2", "#FF9830", "#F2495C", "#B877D9", "#8AB8FF", "#FFB357", "#96D98D", "#FF7383",
           "#CA95E5", "#FFEE52", "#37872D", "#1F60C4", "#C4162A")
NAMED = {"green": "#73BF69", "orange": "#FF9830", "red": "#F2495C"}
MOST_LEGENDS = 8
BLUES = LinearSegmentedColormap.from_list("panel", (PANEL, "#1F60C4", "#8AB8FF", "#ffffff"))


def _written(value, unit, decimals=None):
    """Returns a value as Grafana shows it with this unit."""
    if unit == "percentunit":
        return f"{100 * value:.3g}%" if decimals is None else f"{100 * value:.{decimals}f}%"
    if unit == "s":
        for scale, name in ((1, "s"), (1e-3, "ms")):
            if abs(value) >= scale:
                return f"{value / scale:.3g} {name}"
        return f"{value / 1e-6:.3g} µs" if value else "0 s"
    end = {"reqps": " req/s", "bytes": "B", "Bps": "B/s"}.get(unit, unit[7:] if unit.startswith("suffix:") else "")
    for scale, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= scale:
            return f"{value / scale:.3g}{name}{end}"
    return f"{value:.3g}{' ' if unit in ('bytes', 'Bps') else ''}{end}"


def _legend(pattern, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), pattern).strip()


def _series(panel, results, period):
    """Returns (legend, times, values) of each line, but for those without a value."""
    found = []
    for target, result in zip(panel.targets, results):
        for sample in result:
            points = [(time - period[0], float(value)) for time, value in sample["values"] if math.isfinite(float(value))]
            if points:
                found.append((_legend(target.legend, sample["metric"]), *zip(*points)))
    return sorted(found)


def _empty(axes):
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no data", transform=axes.transAxes, color=FAINT, ha="center", va="center", fontsize=8)


def _dress(axes, period, unit):
    """Shows minutes from left to right, and values with their unit."""
    first, last = period
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 60:.0f} min"))
    axes.xaxis.set_major_locator(MultipleLocator(60) if last - first < 600 else MaxNLocator(8))
    axes.set_xlim(0, last - first)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _written(y, unit)))
    axes.tick_params(colors=FAINT, labelsize=6, length=0)
    axes.grid(color="#2c3235", linewidth=0.5)


def _draw_lines(axes, panel, results, period):
    series = _series(panel, results, period)
    if not series:
        _empty(axes)
        return
    defaults = panel.spec["fieldConfig"]["defaults"]
    times = sorted({time for _, own, _ in series for time in own})
    if defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal":
        values = [[dict(zip(own, line)).get(time, 0) for time in times] for _, own, line in series]
        axes.stackplot(times, values, labels=[legend for legend, _, _ in series], colors=PALETTE, alpha=0.75)
    else:
        for number, (legend, own, line) in enumerate(series):
            axes.plot(own, line, color=PALETTE[number % len(PALETTE)], linewidth=1, label=legend)
    highest = axes.get_ylim()[1]
    for step in defaults.get("thresholds", {}).get("steps", []):
        if step.get("value") is not None and step["value"] <= 2 * highest:
            axes.axhline(step["value"], color=NAMED[step["color"]], linewidth=0.8, linestyle="--")
    _dress(axes, period, defaults.get("unit", "none"))
    axes.set_ylim(0, defaults.get("max") or 1.05 * highest if any(max(line) for _, _, line in series) else 1)
    handles, legends = axes.get_legend_handles_labels()
    left = len(handles) - MOST_LEGENDS
    if left > 0:
        legends = legends[:MOST_LEGENDS - 1] + [f"{legends[MOST_LEGENDS - 1]}  (+{left})"]
    axes.legend(handles[:MOST_LEGENDS], legends, loc="upper center", bbox_to_anchor=(0.45, -0.1), ncols=4, frameon=False,
                fontsize=5.5, labelcolor=TEXT, handlelength=1, columnspacing=1)


def _draw_number(axes, panel, results, period):
    series = _series(panel, results, period)
    if not series:
        _empty(axes)
        return
    defaults = panel.spec["fieldConfig"]["defaults"]
    _, times, values = series[0]
    color = [step["color"] for step in defaults["thresholds"]["steps"]
             if step.get("value") is None or values[-1] >= step["value"]][-1]
    axes.set_axis_off()
    axes.fill_between(times, values, min(values) - 0.2 * (max(values) - min(values)) - 1e-9, color=NAMED[color], alpha=0.15,
                      linewidth=0)
    axes.margins(0, 0.8)
    axes.text(0.5, 0.5, _written(values[-1], defaults["unit"], defaults.get("decimals")), transform=axes.transAxes,
              color=NAMED[color], ha="center", va="center", fontsize=15)


def _draw_heat(axes, panel, results, period):
    """Prometheus's buckets are cumulative: a cell is the difference of two."""
    rows = sorted(((float(sample["metric"]["le"]),
                    {time - period[0]: float(value) for time, value in sample["values"]})
                   for sample in results[0]), key=lambda row: row[0])
    times = sorted({time for _, row in rows for time in row})
    cells = [[row.get(time, 0) - (rows[number - 1][1].get(time, 0) if number else 0) for time in times]
             for number, (_, row) in enumerate(rows)]
    if not times or not any(any(value > 0 for value in row) for row in cells):
        _empty(axes)
        return
    axes.imshow([[math.sqrt(max(0, value)) for value in row] for row in cells], aspect="auto", origin="lower",
                cmap=BLUES, extent=(times[0], times[-1], 0, len(rows)),
                interpolation="nearest")
    unit = panel.spec["options"]["yAxis"]["unit"]
    _dress(axes, period, "none")
    shown = range(0, len(rows), max(1, len(rows) // 8))
    axes.set_yticks([number + 0.5 for number in shown],
                    ["over" if math.isinf(rows[number][0]) else _written(rows[number][0], unit) for number in shown])
    axes.grid(False)


def _draw_matrix(axes, panel, results, _):
    options = panel.spec["transformations"][1]["options"]
    row, column = options["rowField"], options["columnField"]
    shares = {(sample["metric"][row], sample["metric"][column]): float(sample["value"][1]) for sample in results[0]}
    rows, columns = sorted({pair[0] for pair in shares}), sorted({pair[1] for pair in shares})
    if not shares:
        _empty(axes)
        return
    table = [[shares.get((y, x), 0) for x in columns] for y in rows]
    axes.imshow(table, cmap=BLUES, vmin=0, vmax=1.2, aspect="auto")
    axes.set_xticks(range(len(columns)), [f"{column} {name}" for name in columns])
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.tick_params(colors=TEXT, labelsize=6.5, length=0)
    for y, values in enumerate(table):
        for x, value in enumerate(values):
            axes.text(x, y, f"{100 * value:.0f}%", ha="center", va="center", fontsize=6,
                      color="black" if value > 0.6 else TEXT)


def _draw_flow(axes, _panel, results, _period):
    """Languages on the left, and a column for each layer."""
    edges = [sample["metric"] for sample in results[1]]
    if not edges:
        _empty(axes)
        return
    layers = sorted({edge["layer"] for edge in edges})
    nodes = sorted({edge["source"] for edge in edges})
    places = {name: (0, 1 - (number + 0.5) / len(nodes)) for number, name in enumerate(nodes)}
    for column, layer in enumerate(layers, 1):
        own = sorted({edge["target"] for edge in edges if edge["layer"] == layer})
        places.update((name, (column, 1 - (number + 0.5) / len(own))) for number, name in enumerate(own))
    for edge in edges:
        (x0, y0), (x1, y1) = places[edge["source"]], places[edge["target"]]
        share = float(edge["mainstat"]) / 100
        axes.plot((x0, x1), (y0, y1), color=PALETTE[int(edge["expert"]) % len(PALETTE)], linewidth=2 * share, alpha=0.6)
    titles = {sample["metric"]["id"]: sample["metric"]["title"] for sample in results[0]}
    for name, (x, y) in places.items():
        axes.plot(x, y, marker="o", markersize=9, color=PANEL, markeredgecolor=TEXT)
        axes.text(x + (0.02 if x else -0.02), y, titles.get(name, name), color=TEXT, fontsize=7, va="center",
                  ha="left" if x else "right")
    axes.set_xlim(-0.3, len(layers) + 0.4)
    axes.set_ylim(0, 1)
    axes.set_axis_off()


DRAWN = {"timeseries": _draw_lines, "stat": _draw_number, "heatmap": _draw_heat, "table": _draw_matrix,
         "nodeGraph": _draw_flow}
# Parts of a panel's size beside its axes: left, right, top, bottom.
MARGINS = {"timeseries": (0.17, 0.03, 0.16, 0.28), "stat": (0, 0, 0.3, 0), "heatmap": (0.17, 0.03, 0.16, 0.12),
           "table": (0.06, 0.02, 0.13, 0.02), "nodeGraph": (0.02, 0.02, 0.07, 0.02)}


def _places(panels):
    """Returns the cells (x, y, width, height) of each panel; those of one repeated panel stand beside each other."""
    found, repeated = [], {}
    for panel, _ in panels:
        grid = panel.spec["gridPos"]
        number = repeated.get(panel.spec["id"], 0)
        repeated[panel.spec["id"]] = number + 1
        found.append((grid["x"] + number * grid["w"], grid["y"], grid["w"], grid["h"]))
    return found


def _period(panels):
    """Returns the first and the last time of the results over time."""
    times = [time for _, results in panels for result in results for sample in result
             for time, _ in sample.get("values", [])]
    return min(times), max(times)


def draw(panels, path):
    """Draws panels and the results of their targets into a file, with few colours so that it is small."""
    period = _period(panels)
    places = _places(panels)
    height = max(y + h for _, y, _, h in places)
    figure = plt.figure(figsize=(COLUMNS * CELL_WIDTH, height * CELL_HEIGHT), facecolor=PAGE)
    rows = {}
    for (panel, results), (x, y, w, h) in zip(panels, places):
        if rows.setdefault(panel.row, y) == y and x == 0:
            figure.text(0.004, 1 - (y - 0.5) / height, panel.row, color=TEXT, fontsize=9, va="center")
        box = (x / COLUMNS + 0.002, 1 - (y + h) / height + 0.001, w / COLUMNS - 0.004, h / height - 0.002)
        figure.add_artist(Rectangle(box[:2], box[2], box[3], facecolor=PANEL, edgecolor="#2c3235", linewidth=0.6,
                                    zorder=-1))
        figure.text(box[0] + 0.004, box[1] + box[3] - 0.09 / (height * CELL_HEIGHT), panel.title, color=TEXT, fontsize=7.5,
                    va="top", weight="bold")
        left, right, top, bottom = MARGINS[panel.spec["type"]]
        axes = figure.add_axes((box[0] + left * box[2], box[1] + bottom * box[3], box[2] * (1 - left - right),
                                box[3] * (1 - top - bottom)), facecolor=PANEL)
        for side in axes.spines.values():
            side.set_visible(False)
        DRAWN[panel.spec["type"]](axes, panel, results, period)
    figure.set_dpi(90)
    figure.canvas.draw()
    Image.fromarray(numpy.asarray(figure.canvas.buffer_rgba())).convert("RGB").quantize(256).save(path, optimize=True)
    plt.close(figure)
