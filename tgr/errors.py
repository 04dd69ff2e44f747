"""The exception whose message is meant for the user, and how text from elsewhere appears in it."""

import re

COLOUR = re.compile(r"\x1b\[[\d;]*m")
"""What sets colours and bold type on a terminal."""


class TgrError(Exception):
    """A problem that the user can mend: the message names the file or key at fault and says what to do."""


def escape(text: object) -> str:
    """Return a text as it is if it can be printed in one line, and with escapes if it cannot: names from files may hold
    line breaks and control sequences of a terminal."""
    return str(text) if str(text).isprintable() else repr(str(text))


def escape_controls(text: str) -> str:
    """Return a text with escapes in the place of what a terminal would obey, or not show."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def first_line(error: Exception) -> str:
    """Return the first line of an error's message without colours, or the error's type if it has no message."""
    return (COLOUR.sub("", str(error)).strip().splitlines() or [type(error).__name__])[0]
