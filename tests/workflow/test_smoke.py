"""The small configuration in which everything takes part, run for real."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from workflow_project import Project

from tgr.config.load import load
from tgr.config.methods.registry import Methods
from tgr.devices import resolve
from tgr.run import digests, processor

DIGESTS = Path(__file__).with_name("digests.json")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smoke(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the smoke configuration ran."""
    root = tmp_path_factory.mktemp("smoke") / "bench"
    shutil.copytree(pristine.root, root)
    project = Project(root, "config/smoke.yaml")
    project.run()
    return project


def test_every_method_and_engine_takes_part(smoke: Project) -> None:
    config = load(smoke.root / smoke.config)
    assert set(config.methods.active()) == set(Methods.model_fields)
    assert {config.inversion_of(pool).engine for pool in config.pools} == {"pixel", "generator"}


def test_tables_hold_every_method(smoke: Project) -> None:
    config = load(smoke.root / smoke.config)
    for scenario in config.scenarios:
        table = smoke.root / "results/tables" / scenario
        assert len((table / "main.md").read_text()) > 200 and "tabular" in (table / "main.tex").read_text()
        for method in config.methods.active():
            for shot in config.evaluation.shots:
                folder = smoke.root / f"results/evaluation/{scenario}/{method}/shot-{shot}/seed-0"
                frame = pd.read_parquet(folder / "episodes.parquet")
                assert frame["accuracy"].between(0, 1).all() and len(frame) >= config.evaluation.n_episodes


def test_episodes_are_shared_by_all_methods(smoke: Project) -> None:
    config = load(smoke.root / smoke.config)
    for file in (smoke.root / "results/evaluation").rglob("provenance.json"):
        assert set(json.loads(file.read_text())["inputs"]["episodes"]) <= {
            f"results/episodes/{dataset}/shot-{shot}.safetensors"
            for dataset in config.datasets
            for shot in config.evaluation.shots
        }


@pytest.mark.skipif(not processor.environment("pinned"), reason="kernels are pinned on x86-64 only")
@pytest.mark.skipif(resolve("auto").type != "cpu", reason="the digests are those of a CPU")
def test_every_artefact_has_the_bytes_of_the_list(smoke: Project) -> None:
    """Renew the list with `make digests` after a change of algorithms, settings of the smoke run, or libraries."""
    expected, found = digests.read(DIGESTS), digests.collect(smoke.root)
    assert expected.artefacts.keys() == found.artefacts.keys()
    problem = digests.difference(expected, found)
    if problem and found.processor["model"] != expected.processor["model"]:
        pytest.skip(f"not yet seen equal on this processor: {problem}")
    assert problem is None, problem


def test_second_run_has_nothing_to_do(smoke: Project) -> None:
    assert smoke.planned() == {}
