"""When a training no longer gains."""


class Stall:
    """Tells when a value has not exceeded its best for ``patience`` observations; then it starts to wait anew.

    The best is kept until ``reset``: a value that stalled once stalls again unless it exceeds that best.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self.reset()

    def reset(self) -> None:
        """Forget the best, so that the next observation is one."""
        self._best, self._waited = float("-inf"), 0

    def observe(self, value: float) -> bool:
        """Return whether the value stalls now."""
        self._waited = 0 if value > self._best else self._waited + 1
        self._best = max(self._best, value)
        if self._waited < self._patience:
            return False
        self._waited = 0
        return True
