"""Another workflow uses this one as a module: from its own folder, with a prefix before all results."""

import subprocess
from pathlib import Path

import pytest
import yaml
from workflow_project import REPOSITORY, Project, copy_project, job_counts

SNAKEFILE = """
configfile: "strange.yaml"

module bench:
    snakefile: "{snakefile}"
    config: config["bench"]
    prefix: "runs/first"

use rule * from bench as bench_*

rule tell:
    default_target: True
    input: "runs/first/{target}"
    output: "told.txt"
    shell: "wc -c < {{input}} > {{output}}"
"""
TARGET = "results/episodes/shapes/shot-1.safetensors"


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A folder with a workflow of its own, in which this project lies like a submodule."""
    root = tmp_path_factory.mktemp("strange folder")
    bench = copy_project(root / "vendor/bench")
    settings = yaml.safe_load((bench.root / bench.config).read_text())
    (root / "strange.yaml").write_text(yaml.safe_dump({"own": 1, "bench": settings}))
    (root / "data").symlink_to(bench.root / "data")
    return Project(root, "")


def write_snakefile(root: Path, snakefile: str, target: str = TARGET) -> None:
    (root / "Snakefile").write_text(SNAKEFILE.format(snakefile=snakefile, target=target))


def test_module_plans_every_rule_below_its_prefix(strange: Project, pristine: Project) -> None:
    write_snakefile(strange.root, "vendor/bench/workflow/Snakefile", "results/index.html")
    output = strange.run("--dry-run", "bench_all")
    assert {f"bench_{rule}": n for rule, n in pristine.planned().items()} | {"bench_all": 1} == job_counts(output)
    assert "runs/first/vendor" not in output and " results/" not in output


@pytest.mark.slow
def test_module_runs_for_real(strange: Project) -> None:
    write_snakefile(strange.root, "vendor/bench/workflow/Snakefile")
    assert strange.planned() == {"bench_load_dataset": 1, "bench_draw_episodes": 1, "tell": 1}
    strange.run()
    made = strange.root / "runs/first" / TARGET
    assert int((strange.root / "told.txt").read_text()) == made.stat().st_size > 100
    assert not (strange.root / "results").exists()
    assert strange.planned() == {}


def test_module_from_elsewhere_is_refused_with_the_remedy(strange: Project, tmp_path: Path) -> None:
    """Scripts of the workflow import the package, so its files must be here; a git repository stands for any host."""
    repository = tmp_path / "clone"
    repository.mkdir()
    for name in ("workflow/Snakefile", "workflow/rules/common.smk"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text((REPOSITORY / name).read_text())
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    for words in (("init", "-q", "-b", "main"), ("add", "."), (*identity, "commit", "-q", "-m", "files")):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    write_snakefile(strange.root, f"git+file://{repository}/workflow/Snakefile@main")
    output = strange.run("--dry-run", check=False)
    assert "TGR-bench needs its files on this machine: clone it" in output
