"""The device on which tests with the marker `device` compute: `TGR_TEST_DEVICE` is cpu, cuda, or pretended."""

import os
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch

from tgr import devices

NAME = os.environ.get("TGR_TEST_DEVICE", "cpu")


def _find() -> torch.device:
    if NAME == "pretended":
        from tests import pretended

        return pretended.DEVICE
    return torch.device(NAME)


def present() -> AbstractContextManager[object]:
    """Return a context in which the device can be used, and computes as it does in jobs."""
    if NAME != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        devices.prepare(DEVICE, "ieee")
        torch.use_deterministic_algorithms(mode=True)
    if NAME == "pretended":
        from tests import pretended

        return pretended.pretended()
    return nullcontext()


def refusals() -> list[str]:
    """Return, and forget, what backward passes asked that the pretended device refuses."""
    if NAME != "pretended":
        return []
    from tests import pretended

    refused = [*pretended.LEDGER.refused]
    pretended.LEDGER.refused.clear()
    return refused


DEVICE = _find()
needs_pretended = pytest.mark.skipif(NAME != "pretended", reason="needs TGR_TEST_DEVICE=pretended")
