"""Draws the counts of routing_map.py with matplotlib."""

import dataclasses
import math

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402
from matplotlib.ticker import PercentFormatter  # noqa: E402

COLUMNS = 7
# More numbers than this in one panel are illegible.
MAX_LABELLED_CELLS = 30


@dataclasses.dataclass
class Panel:
    title: str
    family: int  # The expert to outline; -1: none.
    shares: list  # [layers][experts], each layer's sum is 1.


def _draw_panel(axes, panel, layers, highest):
    experts = len(panel.shares[0])
    image = axes.imshow(panel.shares, cmap="Blues", vmin=0, vmax=highest, aspect="auto")
    axes.set_title(panel.title if panel.family < 0 else f"{panel.title} (family {panel.family})", fontsize=8)
    axes.set_xticks(range(experts))
    axes.set_yticks(range(len(layers)), layers)
    axes.tick_params(labelsize=6, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if panel.family >= 0:
        axes.add_patch(Rectangle((panel.family - 0.5, -0.5), 1, len(layers), fill=False, edgecolor="darkorange",
                                 linewidth=1.2, clip_on=False))
    if experts * len(layers) <= MAX_LABELLED_CELLS:
        for y, row in enumerate(panel.shares):
            for x, share in enumerate(row):
                axes.text(x, y, f"{100 * share:.0f}", ha="center", va="center", fontsize=5,
                          color="white" if share > 0.6 * highest else "black")
    return image


def heat_maps(panels, layers, title, paths):
    """Draws a heat map of layer x expert for each panel, with one colour scale, into each of the files."""
    rows = math.ceil(len(panels) / COLUMNS)
    columns = math.ceil(len(panels) / rows)  # Fills the last row as far as possible.
    experts = len(panels[0].shares[0])
    width = columns * max(1.5, 0.22 * experts) + 1
    height = rows * (0.6 + 0.22 * len(layers)) + 0.8
    # The same numbers give the same file.
    plt.rcParams.update({"svg.hashsalt": "apollo", "svg.fonttype": "none"})
    figure, grid = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    highest = max(share for panel in panels for row in panel.shares for share in row)
    image = None
    for axes, panel in zip(grid.flat, panels):
        image = _draw_panel(axes, panel, layers, highest)
    for axes in list(grid.flat)[len(panels):]:
        axes.set_axis_off()
    figure.suptitle(f"{title}: share of each expert (across) in each sparse layer (down), in %;\n"
                    "outlined: the expert of the language's family", fontsize=9)
    bar = figure.colorbar(image, ax=grid, shrink=0.8, aspect=30, format=PercentFormatter(xmax=1, decimals=0))
    bar.ax.tick_params(labelsize=6)
    bar.outline.set_visible(False)
    for path in paths:
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.endswith(".svg") else None)
    plt.close(figure)
