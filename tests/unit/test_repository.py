"""What surrounds the code: container, continuous integration, forms for issues."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORMS = sorted(file for file in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if file.name != "config.yml")
INPUTS = {"input", "textarea", "dropdown", "checkboxes"}


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with what follows it."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined)]


def test_container_installs_the_lock_on_the_python_of_the_conda_environment() -> None:
    found = instructions()
    known = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in found} == known and found[0][0] == "FROM"
    conda = yaml.safe_load((ROOT / "envs/tgr.yaml").read_text())
    assert found[0][1].startswith(f"python:{conda['dependencies'][0].removeprefix('python =')}-")
    copied = [rest.split()[0] for word, rest in found if word == "COPY"]
    assert all((ROOT / name).exists() for name in copied)
    assert ("RUN", "python -m pip install --requirement envs/requirements.lock") in found


def test_container_plans_a_run_from_an_empty_folder(tmp_path: Path) -> None:
    """Its command, with this folder in the place of the one inside the image."""
    parts = {word: yaml.safe_load(rest) for word, rest in instructions() if word in ("ENTRYPOINT", "CMD")}
    words = [word.replace("/opt/tgr-bench", str(ROOT)) for word in parts["ENTRYPOINT"] + parts["CMD"]]
    assert words[0] == "snakemake" and all(Path(word).exists() for word in words if word.startswith("/"))
    command = [sys.executable, "-m", *words, "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and re.search(r"^write_index +1$", done.stdout + done.stderr, re.MULTILINE)


def test_pip_takes_the_list_of_the_conda_environment(tmp_path: Path) -> None:
    """Conda writes its list of pip into such a file."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("\n".join(yaml.safe_load((ROOT / "envs/tgr.yaml").read_text())["dependencies"][-1]["pip"]))
    options = ["--dry-run", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--requirement", str(requirements)], check=True)


def test_continuous_integration_runs_what_everybody_can_run() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run") for step in steps] and (ROOT / ".ci/run").stat().st_mode & 0o111
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_forms_are_what_github_reads(form: Path) -> None:
    content = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(content)
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= INPUTS and all(field["attributes"]["label"] for field in fields)
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names) and any(field.get("validations", {}).get("required") for field in fields)
    named = set(re.findall(r"\b(?:docs|tests)/[\w./-]+\w", form.read_text()))
    assert not [word for word in named if not (ROOT / word).exists()]


def test_catalogue_finds_what_it_looks_for() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"] is True and usage["report"] is True
    assert (ROOT / "workflow/Snakefile").is_file() and (ROOT / "config/README.md").is_file()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme
