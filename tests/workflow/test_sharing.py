"""A finished run is shared, and another configuration starts from its teachers."""

from pathlib import Path

import pytest
import yaml
from workflow_project import Project

from tgr.artifacts import load_tensors

pytestmark = pytest.mark.slow


def test_another_run_imports_the_teachers_of_a_shared_pool(project: Project, tmp_path: Path) -> None:
    assert project.planned("results/share") == {"share_models": 1}
    project.run("results/share")
    shared = (project.root / "results/share").rename(tmp_path / "shared")
    section = yaml.safe_load((project.root / project.config).read_text())
    section["pools"] = {
        pool: {"table": str(shared / f"teachers/{pool}/models.yaml"), "n_teachers": n_teachers}
        for pool, n_teachers in (("shapes-conv4", 4), ("strangers", 2))
    }
    del section["pairs"]
    (project.root / "again.yaml").write_text(yaml.safe_dump(section))
    again = Project(project.root, "again.yaml")
    elsewhere = ("--directory", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/data").symlink_to(project.root / "data")
    planned = again.planned(*elsewhere)
    assert planned["import_models"] == 2 and "pretrain" not in planned
    again.run(*elsewhere, "--until", "import_models")
    originals = sorted((project.root / "results/teachers").rglob("*.safetensors"))
    copies = sorted((tmp_path / "elsewhere/results/teachers").rglob("*.safetensors"))
    assert len(originals) == len(copies) == 6
    for original, copy in zip(originals, copies, strict=True):
        (ours, _), (theirs, _) = load_tensors(original), load_tensors(copy)
        assert ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)
