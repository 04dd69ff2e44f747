"""The campaign of tests/faults in its short form, and malformed configurations in front of Snakemake itself."""

import random
import tempfile
from pathlib import Path

import pytest
from workflow_project import Project

from tests.faults import checks
from tests.faults.kills import jobs_of, kill_and_resume

TARGETS = ("results/embeddings/shapes-conv4/shard-0", "results/episodes/shapes/shot-1.safetensors")
"""Five jobs, four of them a chain: each start of Snakemake takes longer than they do."""
N_DIGESTS = 11

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def light(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with light stages in which the targets were made."""
    project = checks.without_computation(checks.fresh(pristine, tmp_path_factory.mktemp("light") / "bench"))
    project.run(*TARGETS)
    return project


@pytest.fixture
def small_disk(tmp_path: Path) -> None:
    if reason := checks.cannot_mount(tmp_path / "mount"):
        pytest.skip(reason)


def test_killed_runs_in_a_strange_path_end_in_the_same_digests(light: Project, tmp_path: Path) -> None:
    project = checks.fresh(light, tmp_path / checks.STRANGE)
    killed = kill_and_resume(project, 2, 1, 8, random.Random(0), *TARGETS)
    assert killed.total() == 2
    assert checks.compare(project, light) == N_DIGESTS
    assert not jobs_of(project)


def test_a_damaged_artefact_and_what_depends_on_it_are_made_again(light: Project, tmp_path: Path) -> None:
    teachers = Path("results/teachers/shapes-conv4/shard-0")
    assert checks.repaired(light, tmp_path / "bench", teachers, *TARGETS) == (3, N_DIGESTS)


def test_damage_to_every_kind_of_real_result_is_named(finished: Project, tmp_path: Path) -> None:
    assert checks.damage_is_named(finished, tmp_path, random.Random(0), per_kind=1) > 60


@pytest.mark.usefixtures("small_disk")
def test_full_disk(light: Project, tmp_path: Path) -> None:
    assert checks.full_disk(light, tmp_path / "bench", *TARGETS, whole=False) == N_DIGESTS


@pytest.mark.usefixtures("small_disk")
def test_read_only_results(light: Project, tmp_path: Path) -> None:
    assert checks.read_only(light, tmp_path / "bench", *TARGETS) == N_DIGESTS


def test_two_runs_at_once_with_results_on_another_volume(light: Project, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    with tempfile.TemporaryDirectory(dir=checks.OTHER_VOLUME if checks.OTHER_VOLUME.is_dir() else None) as volume:
        (tmp_path / "bench/results").symlink_to(volume)
        assert checks.two_at_once(light, tmp_path / "bench", *TARGETS) == N_DIGESTS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\nmethods:\n", "\nmethods: {bank: {}}\nmethods:\n", "methods: this key stands in line "),
        ("  shapes-conv4:\n", "  $(touch pwned):\n", "tiny.yaml: pools.$(touch pwned): "),
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
