"""Tables as Markdown and CSV."""

import csv


def number(value, digits=3):
    """Formats with this many significant digits and without exponent; "-" for None."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    places = digits - 1
    while places > 0 and size >= 10:
        size /= 10
        places -= 1
    while 0 < size < 1 and places < 9:
        size *= 10
        places += 1
    return f"{value:,.{places}f}"


def markdown(head, rows):
    """Returns a Markdown table. The first column is text, the others are numbers."""
    cells = [list(head), *([number(cell) for cell in row] for row in rows)]
    if any(len(row) != len(head) for row in cells):
        raise ValueError("a row and the head have different numbers of cells")
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    def line(row):
        padded = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        return "| " + " | ".join(padded) + " |"
    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def write_csv(path, head, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
