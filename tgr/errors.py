"""The one exception type whose message is meant for the user."""


class TgrError(Exception):
    """A problem that the user can mend: the message names the file or key at fault and says what to do."""
