"""Whose turn it is on which GPU, with cards that are not there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tgr import devices
from tgr.config.load import load
from tgr.errors import TgrError
from tgr.run import gpus
from tgr.run.gpus import Card
from tgr.workflow.jobs import Jobs
from tgr.workflow.parameters import parameters

PROGRAM = """
import sys, time
from pathlib import Path
from tgr.run import gpus
cards = [gpus.Card(f"GPU-{letter}", "pretended", int(sys.argv[2]), "0") for letter in "ab"]
card, locks = gpus.take_slots("cuda", 2000, cards, Path(sys.argv[1]))
print(card.identity, flush=True)
time.sleep(60)
"""


def card(letter: str, memory_mb: int = 8000) -> Card:
    return Card(f"GPU-{letter}", "pretended", memory_mb, "0")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget afterwards what a test sets."""
    for name in (gpus.VISIBLE, gpus.AUTO):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def start(folder: Path, memory_mb: int = 3000) -> tuple[subprocess.Popen[str], str]:
    """Start a process that takes a slot; return it and the card that it got."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(memory_mb)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_two_processes_get_two_cards_and_a_killed_one_frees_its_own(tmp_path: Path) -> None:
    first, first_card = start(tmp_path)
    second, second_card = start(tmp_path)
    try:
        assert {first_card, second_card} == {"GPU-a", "GPU-b"}
        cards = [card(letter, 3000) for letter in "ab"]
        assert gpus._try(cards, 1, tmp_path) is None
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=30)
        taken = gpus._try(cards, 1, tmp_path)
        assert taken is not None
        assert taken[0].identity == first_card
    finally:
        for process in (first, second):
            process.kill()
            process.wait(timeout=30)


def test_jobs_spread_over_the_cards_and_then_share_them_by_memory(tmp_path: Path) -> None:
    cards = [card(letter) for letter in "abcd"]  # of 8 GB: three slots each
    held = [gpus.take_slots("cuda", 1700, cards, tmp_path) for _ in range(12)]
    names = [taken[0].identity for taken in held if taken]
    assert {*names[:4]} == {"GPU-a", "GPU-b", "GPU-c", "GPU-d"}
    assert all(names.count(one.identity) == 3 for one in cards)
    assert gpus._try(cards, 1, tmp_path) is None


def test_a_card_of_8_gb_takes_no_more_than_fits(tmp_path: Path) -> None:
    one = [card("a")]
    assert gpus.jobs_memory_mb(one) <= 8000 - gpus.RESERVED_MB
    held = gpus.take_slots("cuda", 4100, one, tmp_path)
    assert held is not None
    assert len(held[1]) == 3
    assert gpus._try(one, 1, tmp_path) is None


def test_a_job_that_needs_more_than_a_card_gets_all_of_it(tmp_path: Path) -> None:
    taken = gpus.take_slots("cuda", 10**6, [card("a")], tmp_path)
    assert taken is not None
    assert len(taken[1]) == 3


def test_a_job_waits_for_a_card_that_is_large_enough(tmp_path: Path) -> None:
    small, large = card("a", 5000), card("b", 24000)
    held = gpus.take_slots("cuda", 12000, [small, large], tmp_path)
    assert held is not None
    assert held[0] == large
    assert gpus._try([small, large], 6, tmp_path) is None
    for lock in held[1]:
        lock.close()
    taken = gpus.take_slots("cuda", 10**6, [small, large], tmp_path)
    assert taken is not None
    assert (taken[0], len(taken[1])) == (large, large.slots)


def test_a_job_sees_its_card_alone(tmp_path: Path) -> None:
    gpus.take_slots("cuda:1", 0, [card("a"), card("b")], tmp_path)
    assert os.environ[gpus.VISIBLE] == "GPU-b"
    with pytest.raises(TgrError, match="cuda:0 to cuda:1"):
        gpus.take_slots("cuda:2", 0, [card("a"), card("b")], tmp_path)


def test_a_job_waits_until_a_slot_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = gpus.take_slots("cuda", 0, [card("a", 1)], tmp_path)
    assert held is not None
    monkeypatch.setattr(time, "sleep", lambda _: held[1][0].close())
    assert gpus.take_slots("cuda", 700, [card("a", 1)], tmp_path) is not None
    assert "waiting until a GPU has 700 MB free" in capsys.readouterr().out


def test_nothing_is_taken_where_no_card_is_known(tmp_path: Path) -> None:
    assert gpus.take_slots("cuda", 5000, [], tmp_path) is None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("1", ["GPU-b1"]),
        ("1,0", ["GPU-b1", "GPU-a1"]),
        ("GPU-b", ["GPU-b1"]),
        ("", []),
        ("-1", []),
        ("0,7,1", ["GPU-a1"]),
        ("MIG-3", ["MIG-3"]),
    ],
)
def test_cards_are_those_that_cuda_would_show(shown: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_all_cards", lambda: [card("a1"), card("b1")])
    assert len(gpus.list_cards()) == 2
    monkeypatch.setenv(gpus.VISIBLE, shown)
    assert [one.identity for one in gpus.list_cards()] == expected


def test_a_machine_without_the_driver_has_no_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "NVML", "libno-such-library.so.1")
    assert gpus.list_cards() == []


@pytest.mark.parametrize(
    ("cards", "answer", "expected"), [(0, "cuda", "cpu"), (1, "cuda", "cuda"), (1, "too old", "cpu")]
)
def test_auto_is_decided_once_a_run(cards: int, answer: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "list_cards", lambda: [card("a")] * cards)
    asked: list[object] = []

    def run(*arguments: object, **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(arguments)
        return subprocess.CompletedProcess([], 0, f"{answer}\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    warnings: list[str] = []
    assert [gpus.choose_device("auto", warnings.append) for _ in range(2)] == [expected] * 2
    assert len(asked) == cards
    assert warnings == ([f"device: auto is the CPU, for {answer}"] if answer != "cuda" else [])
    assert gpus.choose_device("mps", warnings.append) == "mps"


@pytest.mark.parametrize(
    ("capability", "built", "expected"),
    [
        ((8, 6), ["sm_80", "sm_90"], True),
        ((9, 0), ["sm_80", "sm_90"], True),
        ((9, 0), ["sm_90a"], True),
        ((7, 0), ["sm_75", "sm_80"], False),
        ((12, 0), ["sm_80", "sm_90"], False),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((12, 1), ["sm_120"], True),
    ],
)
def test_a_gpu_runs_builds_of_its_generation_or_those_compiled_when_loaded(
    capability: tuple[int, int], built: list[str], expected: bool
) -> None:
    assert devices.has_kernels(capability, built) == expected


def test_a_gpu_without_kernels_falls_back_or_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices.torch.cuda, "get_device_capability", lambda: (7, 0))
    monkeypatch.setattr(devices.torch.cuda, "get_device_name", lambda: "V100")
    monkeypatch.setattr(devices.torch.cuda, "get_arch_list", lambda: ["sm_80"])
    assert devices.resolve("auto").type == "cpu"
    with pytest.raises(TgrError, match=r"V100 has compute capability 7\.0.*use auto or cpu"):
        devices.resolve("cuda")


def test_pytorch_for_amd_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices.torch.cuda, "get_arch_list", lambda: ["gfx90a"])
    monkeypatch.setattr(devices.torch.version, "hip", "6.4")
    assert devices.resolve("auto").type == "cuda"


def test_precision_is_set_for_products_and_convolutions_and_put_back() -> None:
    with devices.exact():
        for precision in ("tf32", "ieee"):
            devices.set_precision(precision)
            assert devices.get_precision() == precision
            older = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
            assert older == (precision == "tf32",) * 2, (
                "parts of PyTorch ask these, and they refuse to answer if unlike"
            )
            with devices.exact():
                assert devices.get_precision() == "ieee"
            assert devices.get_precision() == precision


@pytest.mark.parametrize(("device", "expected"), [("cuda", "tf32"), ("cuda:1", "tf32"), ("cpu", "ieee")])
def test_precision_is_a_parameter_of_gpus_alone(device: str, expected: str) -> None:
    settings = load("config/smoke.yaml").model_copy(update={"device": device, "precision": "tf32"})
    found = parameters(Jobs(settings))
    assert (found["device"], found["precision"]) == (device, expected)


@pytest.mark.parametrize(("device", "expected"), [("cuda:1", "graph"), ("mps", "eager"), ("cpu", "eager")])
def test_graphs_are_a_parameter_of_cuda_alone(device: str, expected: str) -> None:
    settings = load("config/smoke.yaml").model_copy(update={"device": device, "launches": "graph"})
    assert parameters(Jobs(settings))["launches"] == expected
