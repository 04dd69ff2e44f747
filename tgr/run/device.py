"""Where a job computes: the device of its parameters, ready, with slots of a GPU as long as it runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tgr.run import gpus

GPU_MEMORY = "gpu_mb"
"""The resource of rules that may use a GPU: the memory there."""


@dataclass(frozen=True)
class Device:
    """Where a job computes.

    Attributes:
        torch: the torch device; None for a job that does not compute on one.
        card: the GPU whose slots the job holds, if it does.
    """

    torch: Any = None
    card: gpus.Card | None = None

    def describe(self) -> dict[str, Any]:
        """Return what the record of an artefact says of it."""
        if self.torch is None:
            return {"device": None}
        from tgr import devices, launches

        gpu = devices.describe(self.torch)
        if gpu and self.card:
            gpu |= {"identity": self.card.identity, "driver": self.card.driver}
        how = {"precision": devices.get_precision(), "launches": launches.used()}
        return {"device": str(self.torch), **how, "gpu": gpu}


@contextmanager
def ready_device(snakemake: Any) -> Iterator[Device]:
    """Yield the device of a job, ready to compute; of a GPU the job has slots until the block, or the process, ends."""
    params = dict(snakemake.params.items())
    if (name := params.get("device")) is None:
        yield Device()
        return
    with ExitStack() as stack:
        card = None
        if name.startswith("cuda"):
            needed = int(getattr(snakemake, "resources", {}).get(GPU_MEMORY, 0))
            if taken := gpus.take_slots(name, needed, gpus.list_cards()):
                card, locks = taken
                name = "cuda"  # the only one that this process sees
                for lock in locks:
                    stack.enter_context(lock)
        from tgr import devices, launches

        device = devices.resolve(name)
        devices.prepare(device, params.get("precision", "ieee"))
        launches.choose(params.get("launches", "eager"))
        yield Device(device, card)
