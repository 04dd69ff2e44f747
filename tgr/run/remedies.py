"""What a user can do about the error of a job."""

import errno
import os

from tgr.errors import TgrError

ON_A_GPU = "let fewer jobs share a card, by a higher gpu_mb (--set-resources), or compute on the CPU (device: cpu)"
LOWER = {
    "pretrain": "lower pretrain.batch_size, or",
    "invert": "lower inversion.memory_mb, or",
    "embed": "lower task_space.images_per_class or task_space.image_size, or",
    "train": "lower the images of a step (of `bank` batch_size, of `tgr` images_per_teacher, meta.meta_batch_size), or",
    "evaluate": "lower evaluation.n_query, or",
}
"""What takes less memory of a GPU, by rule."""


def remedy(error: Exception, rule: str) -> str | None:
    """Say what the user can do about an error; None if it is a defect of the program."""
    if isinstance(error, TgrError):
        return str(error)
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which need not be imported
        return f"the GPU has too little memory; {LOWER.get(rule, '')} {ON_A_GPU} [{error}]".replace("  ", " ")
    advice = {
        errno.ENOSPC: "; free some space and run again",
        errno.EDQUOT: "; free some space and run again",
        errno.EACCES: "; check the permissions",
        errno.EROFS: "; use a working directory that can be written to",
    }
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}{advice.get(error.errno or 0, '')}"
    messages = (f"{error}{advice[code]}" for code in advice if os.strerror(code) in str(error))
    return next(messages, None)  # libraries in C and Rust have error types of their own
