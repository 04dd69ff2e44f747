"""The training curves of all models of a scenario in one frame."""

from collections.abc import Sequence
from pathlib import Path

from tgr.evaluation.curves import read_curves


def gather_curves(*, models: Sequence[Path], curves: Path) -> None:
    """Write what ``tgr.evaluation.curves.read_curves`` returns of some models as one Parquet file."""
    read_curves(models).to_parquet(curves, index=False)
