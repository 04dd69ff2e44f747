"""Which scenario, method, shot and seed a trained model or an evaluation belongs to, as the artefact itself says."""

from pathlib import Path
from typing import Any

from tgr.artifacts import read_json
from tgr.errors import TgrError

IDENTITY = ("scenario", "method", "shot", "seed")
"""Keys of ``model.json`` and ``selection.json``. A method is one of an ablation's variants, too. The shot of a model is
a string: the evaluated shot for which it was trained, or ``any``; that of an evaluation is a number."""


def read_identity(file: Path) -> dict[str, Any]:
    """Return the entries ``IDENTITY`` of a ``model.json`` or ``selection.json``.

    Raises:
        TgrError: the file is missing, damaged or lacks one of them.
    """
    about = read_json(file)
    missing = [key for key in IDENTITY if key not in about]
    if missing:
        raise TgrError(f"{file}: does not say its {', '.join(missing)}; delete its folder and run again")
    return {key: about[key] for key in IDENTITY}
