"""Tables of text as spreadsheets write them: CSV with commas, semicolons or tabs."""

import csv
from collections.abc import Sequence
from pathlib import Path

from tgr.errors import TgrError, escape

DELIMITERS = ",;\t"


def read_rows(file: Path, wanted: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the rows of a CSV file, by the names in its heading.

    A byte-order mark, spaces around cells, empty lines, and empty cells to the right of the table count for nothing.
    The delimiter is the one that the heading has most of.

    Args:
        wanted: columns that must be there.

    Raises:
        OSError: the file cannot be read.
        TgrError: it is not a table in UTF-8, lacks a column, or a row has more or fewer cells than the heading.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
        first = next((line for line in lines if line.strip()), "")
        delimiter = max(DELIMITERS, key=first.count)
        cells = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
        rows = [[cell.strip() for cell in row] for row in cells]
    except (csv.Error, UnicodeDecodeError) as error:
        raise TgrError(f"{file}: not a CSV file in UTF-8 ({error}); save it as one") from error
    [heading, *body] = [row for row in rows if any(row)] or [[]]
    while heading and not heading[-1]:
        heading.pop()
    if repeated := sorted({name for name in heading if heading.count(name) > 1}):
        raise TgrError(f"{file}: the heading has '{repeated[0]}' twice; name each column once")
    if absent := [name for name in wanted if name not in heading]:
        raise TgrError(f"{file}: the first line names no column {absent[0]}; it has: {', '.join(map(escape, heading))}")
    n = len(heading)
    for number, row in enumerate(body, 1):
        if len(row) < n or any(row[n:]):
            raise TgrError(f"{file}: row {number}: has more or fewer cells than the heading; quote cells with commas")
    return [dict(zip(heading, row[:n], strict=True)) for row in body]
