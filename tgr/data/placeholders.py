"""Files that came in the place of others: what a failed download leaves."""

from pathlib import Path

from tgr.errors import TgrError

HEAD = 512
"""Bytes that are looked at."""


def refuse_placeholder(file: str | Path) -> None:
    """Say so if a file that could not be read is empty, a server's error page, or a pointer of Git LFS.

    Raises:
        TgrError: it is one of these.
    """
    try:
        with Path(file).open("rb") as opened:
            head = opened.read(HEAD).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    except OSError:
        return  # its reader says so
    if head.startswith(b"version https://git-lfs"):
        raise TgrError(f"{file}: a pointer of Git LFS instead of the file; run `git lfs pull` where it comes from")
    if head.startswith((b"<!doctype html", b"<html", b"<?xml")) and b"<svg" not in head:
        raise TgrError(f"{file}: a web page, such as a server's error, instead of the file; get it again")
    if not head:
        raise TgrError(f"{file}: empty; get it again")
