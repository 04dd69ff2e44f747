"""Replicates: a scenario once more, with teachers, recovered images, task groups and trainings drawn anew.

Seeds derive from names, so a replicate is another name of the same pools and scenario: ``icons~2`` is the second of
``icons``. Datasets and frozen episodes are no part of it: all replicates meet the same episodes. Names of the
configuration cannot hold the sign.
"""

SIGN = "~"


def numbered(name: str, number: int) -> str:
    """Return the name of a replicate; the first one has the name of the configuration."""
    return name if number == 1 else f"{name}{SIGN}{number}"


def original(name: str) -> str:
    """Return the name of the configuration of which a pool or scenario is a replicate."""
    return name.partition(SIGN)[0]


def number(name: str) -> int:
    """Return which replicate a name is, from 1."""
    return int(name.partition(SIGN)[2] or 1)
