"""Draws the table of run.py with matplotlib: a column of panels for each sweep."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

SWEEPS = {"streams": "streams at once", "prompt": "prompt tokens", "expert workers": "expert workers"}
# Panels from top to bottom: axis, and the columns of the table in it.
PANELS = (("tokens/s", ("decode tokens/s", "prompt tokens/s")),
          ("ms", ("gap p50 ms", "gap p99 ms", "first token p50 ms", "first token p99 ms")),
          ("MB", ("memory MB", "rss MB")))


def draw(rows, title, paths):
    """Draws `rows`, dicts by column with "at", the position on the axis, into each of the files."""
    # The same numbers give the same file.
    plt.rcParams.update({"svg.hashsalt": "apollo", "svg.fonttype": "none"})
    measured = [sweep for sweep in SWEEPS if any(row["sweep"] == sweep for row in rows)]
    figure, grid = plt.subplots(len(PANELS), len(measured), figsize=(4 * len(measured), 9), squeeze=False,
                                layout="constrained")
    for column, sweep in enumerate(measured):
        own = [row for row in rows if row["sweep"] == sweep]
        places = [row["at"] for row in own]
        for axes, (unit, names) in zip(grid[:, column], PANELS):
            for name in names:
                axes.plot(places, [row[name] for row in own], marker="o", markersize=3, label=name)
            axes.set_xscale("log", base=2)
            axes.set_xticks(places, [str(place) for place in places], fontsize=7)
            axes.minorticks_off()
            if unit == "MB":
                axes.set_ylim(bottom=0)
            else:
                axes.set_yscale("log")
            axes.set_ylabel(unit)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=7)
        grid[-1, column].set_xlabel(SWEEPS[sweep])
    figure.suptitle(title, fontsize=10)
    for path in paths:
        figure.savefig(path, dpi=120, metadata={"Date": None} if path.endswith(".svg") else None)
    plt.close(figure)
