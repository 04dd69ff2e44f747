"""The GPUs of this machine, and whose turn it is on which. No torch here: Snakemake asks at every start.

Jobs of a local run share the cards. Each takes slots of one card, by memory, before it uses CUDA, and then sees this
card alone. A slot is a locked file, which the kernel unlocks when the process ends, however it ends; so runs of one
user side by side share the cards, too. A card that a scheduler gave to a job for itself simply has free slots.
"""

import ctypes
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from tgr.errors import TgrError

VISIBLE = "CUDA_VISIBLE_DEVICES"
AUTO = "TGR_AUTO_DEVICE"
"""Environment variable: what ``device: auto`` means in a run, so that all its jobs agree."""
SLOT_MB = 2000
"""Memory of a slot. CUDA, cuDNN and their workspaces take part of it in every process."""
RESERVED_MB = 500
"""Memory of a card that others use: the driver, a screen."""
NVML = "libnvidia-ml.so.1"


@dataclass(frozen=True)
class Card:
    """A GPU.

    Attributes:
        identity: what CUDA calls it, e.g. ``GPU-`` and a number.
        memory_mb: 0 if unknown, as for a part of a card (MIG).
    """

    identity: str
    name: str
    memory_mb: int
    driver: str

    @property
    def slots(self) -> int:
        """How many jobs of the smallest size it takes at a time."""
        return max(1, (self.memory_mb - RESERVED_MB) // SLOT_MB)


def list_cards() -> list[Card]:
    """Return the cards that this process may use, in the order of their numbers; none without NVIDIA's driver."""
    cards, shown = _all_cards(), os.environ.get(VISIBLE)
    if shown is None or not cards:
        return cards
    chosen = []
    for entry in filter(None, (part.strip() for part in shown.split(","))):
        if entry.startswith("MIG-"):
            chosen.append(Card(entry, "part of a card", 0, cards[0].driver))
        elif entry.isdigit() and int(entry) < len(cards):
            chosen.append(cards[int(entry)])
        elif named := [card for card in cards if entry.startswith("GPU-") and card.identity.startswith(entry)]:
            chosen += named
        else:  # CUDA, too, stops at the first that it does not know
            break
    return chosen


def _all_cards() -> list[Card]:
    """Ask NVIDIA's management library, which needs no context on a card, for those that this process may open."""
    try:
        nvml: Any = ctypes.CDLL(NVML)
    except OSError:
        return []
    if nvml.nvmlInit_v2() != 0:
        return []
    try:
        count, text = ctypes.c_uint(), ctypes.create_string_buffer(96)
        nvml.nvmlSystemGetDriverVersion(text, len(text))
        driver = text.value.decode()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return []
        cards = []
        for index in range(count.value):
            handle, memory = ctypes.c_void_p(), (ctypes.c_ulonglong * 3)()  # total, free, used
            if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != 0:
                continue  # not ours
            nvml.nvmlDeviceGetMemoryInfo(handle, memory)
            nvml.nvmlDeviceGetUUID(handle, text, len(text))
            identity = text.value.decode()
            nvml.nvmlDeviceGetName(handle, text, len(text))
            cards.append(Card(identity, text.value.decode(), round(memory[0] / 1e6), driver))
        return cards
    finally:
        nvml.nvmlShutdown()


def choose_device(setting: str, warn: Callable[[str], None]) -> str:
    """Return the device of a run for the configuration's ``device``: ``auto`` becomes ``cuda`` or ``cpu``.

    What ``auto`` means is decided once a run, by the process that starts it; its jobs take it from the environment.

    Args:
        warn: told why a card that is there is not used.
    """
    if setting != "auto":
        return setting
    if AUTO not in os.environ:
        os.environ[AUTO] = "cpu"
        if list_cards():
            command = [sys.executable, "-m", "tgr.devices"]
            folder = Path(__file__).parents[2]
            asked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
            if (answer := asked.stdout.strip()) == "cuda":
                os.environ[AUTO] = answer
            else:
                warn(f"device: auto is the CPU, for {answer or asked.stderr.strip()}")
    return os.environ[AUTO]


def choose_cards(device: str, cards: Sequence[Card]) -> Sequence[Card]:
    """Return the cards that ``cuda`` (all) or e.g. ``cuda:1`` means.

    Raises:
        TgrError: there is no such card.
    """
    if ":" not in device or not cards:
        return cards
    number = int(device.partition(":")[2])
    if number >= len(cards):
        raise TgrError(f"device: '{device}' is not there; the cards are cuda:0 to cuda:{len(cards) - 1}")
    return [cards[number]]


def jobs_memory_mb(cards: Sequence[Card]) -> int:
    """Return the memory that all slots of some cards have together."""
    return sum(card.slots * SLOT_MB for card in cards)


def take_slots(
    device: str, needed_mb: int, cards: Sequence[Card], folder: Path | None = None
) -> tuple[Card, list[TextIO]] | None:
    """Wait for slots of one card, take them, and let CUDA in this process see this card alone.

    Args:
        device: ``cuda``, for the card with most free slots, or e.g. ``cuda:1``.
        needed_mb: memory of the job; a job that needs more than any card has gets all of the largest.
        cards: those to choose from; without any, nothing is taken.
        folder: of the locks; None: one of this user's, in the machine's folder for temporary files.

    Returns:
        the card, and the locked files, which belong to this process as long as they are open.

    Raises:
        TgrError: there is no such card, or another user owns the folder.
    """
    if not (choice := choose_cards(device, cards)):
        return None
    folder = folder or _lock_folder()
    count = -(-needed_mb // SLOT_MB)
    if (taken := _try(choice, count, folder)) is None:
        print(f"waiting until a GPU has {needed_mb} MB free: other jobs have them")
        while (taken := _try(choice, count, folder)) is None:
            time.sleep(1)
    os.environ[VISIBLE] = taken[0].identity
    return taken


def _try(cards: Sequence[Card], count: int, folder: Path) -> tuple[Card, list[TextIO]] | None:
    """Take slots of the card that has most of them free, if it has enough; one process at a time looks.

    Cards that are too small for the job, even if they were free, are left out, unless all are.
    """
    count = max(1, min(count, max(card.slots for card in cards)))
    with (folder / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        free = {card: _lock_free_slots(card, folder) for card in cards if card.slots >= count}
        best = max(free, key=lambda card: len(free[card]))
        kept = free[best][:count] if len(free[best]) >= count else []
        for file in chain.from_iterable(free.values()):
            if file not in kept:
                file.close()
        return (best, kept) if kept else None


def _lock_free_slots(card: Card, folder: Path) -> list[TextIO]:
    files: list[TextIO] = []
    for slot in range(card.slots):
        file = (folder / f"{card.identity}.{slot}").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            files.append(file)
        except BlockingIOError:
            file.close()
    return files


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"tgr-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise TgrError(f"{folder}: belongs to another user; set TMPDIR to a folder that all your runs share")
    return folder
