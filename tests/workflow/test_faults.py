"""The campaign of tests/faults in its short form, and malformed configurations in front of Snakemake itself."""

import random
import tempfile
from pathlib import Path

import pytest
from workflow_project import Project

from tests.faults import checks
from tests.faults.kills import jobs_of, kill_and_resume

TABLE = "results/tables/shapes/main.csv"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def light(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with light stages in which the main table was made."""
    project = checks.without_computation(checks.fresh(pristine, tmp_path_factory.mktemp("light") / "bench"))
    project.run(TABLE)
    return project


@pytest.fixture
def small_disk(tmp_path: Path) -> None:
    if reason := checks.cannot_mount(tmp_path / "mount"):
        pytest.skip(reason)


def test_killed_runs_in_a_strange_path_end_in_the_same_digests(light: Project, tmp_path: Path) -> None:
    project = checks.fresh(light, tmp_path / checks.STRANGE)
    killed = kill_and_resume(project, 3, 3, 8, random.Random(0), TABLE)
    assert killed.total() == 3
    assert checks.compare(project, light) > 20
    assert project.planned(TABLE) == {} and not jobs_of(project)


@pytest.mark.parametrize("stage", ["embeddings", "episodes"])
def test_a_damaged_artefact_and_what_depends_on_it_are_made_again(light: Project, tmp_path: Path, stage: str) -> None:
    artefact = next(path for path in checks.artefacts(light) if path.parts[1] == stage)
    n_jobs, n_digests = checks.repaired(light, tmp_path / "bench", artefact, TABLE)
    assert 1 < n_jobs < len(checks.artefacts(light)) and n_digests > 20


def test_every_damage_to_real_results_is_named(finished: Project, tmp_path: Path) -> None:
    assert checks.every_damage_is_named(finished, tmp_path, random.Random(0)) > 300


@pytest.mark.usefixtures("small_disk")
def test_full_disk(light: Project, tmp_path: Path) -> None:
    assert checks.full_disk(light, tmp_path / "bench", TABLE, whole=False) > 20


@pytest.mark.usefixtures("small_disk")
def test_read_only_results(light: Project, tmp_path: Path) -> None:
    assert checks.read_only(light, tmp_path / "bench", TABLE) > 20


def test_two_runs_at_once_with_results_on_another_volume(light: Project, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as volume:
        (tmp_path / "bench/results").symlink_to(volume)
        assert checks.two_at_once(light, tmp_path / "bench", TABLE) > 20


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\nmethods:\n", "\nmethods: {bank: {}}\nmethods:\n", "methods: this key stands in line "),
        ("  shapes-conv4:\n", "  $(touch pwned):\n", "tiny.yaml: pools.$(touch pwned): "),
        ("  shapes-conv4:\n", '  "a\\nb":\n', r"tiny.yaml: pools.'a\nb': "),
        ("lr: [0.1]", "lr: [.inf]", "evaluation.tune.inner_lr.0: Input should be a finite number"),
        ("data/models.csv", "data/shapes.npz", "data/shapes.npz: a table of models is a .yaml or .csv file"),
    ],
)
def test_malformed_configuration_changes_nothing(
    pristine: Project, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (pristine.root / pristine.config).read_text()
    assert old in text
    (tmp_path / "tiny.yaml").write_text(text.replace(old, new, 1))
    before = {path for path in pristine.root.rglob("*") if ".snakemake" not in path.parts}
    process = Project(pristine.root, str(tmp_path / "tiny.yaml"))
    output = process.run(check=False)
    assert message in output and "Traceback" not in output
    assert {path for path in pristine.root.rglob("*") if ".snakemake" not in path.parts} == before
