"""The curves that trainings recorded."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tgr.errors import TgrError
from tgr.evaluation.identity import IDENTITY, read_identity
from tgr.evaluation.replicates import tell_replicates


def read_curves(folders: Sequence[Path]) -> pd.DataFrame:
    """Read the ``curves.parquet`` of model folders of one scenario, in one replicate or several.

    Returns:
        columns scenario, method, shot, seed, phase, name, step, value, and with several replicates what
        ``tell_replicates`` adds. The shot is that of the training, a string, e.g. ``any``. Steps are those of the
        training: phases may follow one another, or take turns.

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
        frames.append(frame.assign(**read_identity(folder / "model.json")))
    if not frames:
        raise TgrError("no curves to draw; name at least one method")
    return tell_replicates(pd.concat(frames, ignore_index=True)[[*IDENTITY, "phase", "name", "step", "value"]])
