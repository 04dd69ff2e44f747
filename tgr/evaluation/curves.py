"""The curves that trainings recorded."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tgr.errors import TgrError
from tgr.evaluation.identity import IDENTITY, read_identity


def read_curves(folders: Sequence[Path]) -> pd.DataFrame:
    """Read the ``curves.parquet`` of model folders.

    Returns:
        columns scenario, method, shot, seed, phase, name, step, value. The shot is that of the training, a string, e.g.
        ``any``. Steps run on from one phase of a method to its next.

    Raises:
        TgrError: a file is missing or damaged.
    """
    frames = []
    for folder in map(Path, folders):
        try:
            frame = pd.read_parquet(folder / "curves.parquet")[["step", "phase", "name", "value"]]
        except (OSError, ValueError, KeyError) as error:
            raise TgrError(f"{folder / 'curves.parquet'}: missing or damaged ({error}); run again") from error
        frame = frame.astype({"step": "int64", "value": "float64"})
        frames.append(_consecutive(frame).assign(**read_identity(folder / "model.json")))
    if not frames:
        raise TgrError("no curves to draw; name at least one method")
    return pd.concat(frames, ignore_index=True)[[*IDENTITY, "phase", "name", "step", "value"]]


def _consecutive(frame: pd.DataFrame) -> pd.DataFrame:
    """Shift each phase that counts from its own start behind the phase before it."""
    parts, end = [], 0
    for _, part in frame.groupby("phase", sort=False):
        start = int(part["step"].min())
        shifted = part.assign(step=part["step"] + (end if start <= end else 0))
        end = int(shifted["step"].max())
        parts.append(shifted)
    return pd.concat(parts) if parts else frame
