"""CSV files as spreadsheets write them."""

from pathlib import Path

import pytest

from tgr.config.delimited import read_rows
from tgr.errors import TgrError

ROWS = [{"filename": "a.jpg", "label": "ant"}, {"filename": "b, c.jpg", "label": "bee"}]


@pytest.mark.parametrize(
    "text",
    [
        'filename,label\na.jpg,ant\n"b, c.jpg",bee\n',
        '\ufefffilename,label\r\na.jpg,ant\r\n"b, c.jpg",bee',
        '\n\nfilename , label\n\n a.jpg, ant \n , \n"b, c.jpg",bee\n\n',
        "filename;label\na.jpg;ant\nb, c.jpg;bee\n;\n",
        "filename\tlabel\na.jpg\tant\nb, c.jpg\tbee\n",
        'filename,label,,\na.jpg,ant,,\n"b, c.jpg",bee,,\n,,,\n',
    ],
    ids=["plain", "byte-order mark", "spaces and empty lines", "semicolons", "tabs", "empty columns"],
)
def test_spreadsheets_write_the_same_table_in_many_ways(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert read_rows(tmp_path / "t.csv", ("filename",)) == ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"filename,label\na.jpg\n", "row 1: has more or fewer cells than the heading; quote cells with commas"),
        (b"filename,label\na.jpg,ant\na.jpg,ant,x\n", "row 2: has more or fewer cells"),
        (b"file,label\n", "the first line names no column filename; it has: file, label"),
        (b"", "the first line names no column filename; it has: "),
        (b"filename,label,label\n", "the heading has 'label' twice"),
        ("filename,label\n".encode("utf-16"), "not a CSV file in UTF-8"),
        (b'filename,label\n"a', "not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_table_is_explained_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TgrError) as caught:
        read_rows(tmp_path / "t.csv", ("filename",))
    assert str(caught.value).startswith(f"{tmp_path / 't.csv'}: {message}") and "\n" not in str(caught.value)
