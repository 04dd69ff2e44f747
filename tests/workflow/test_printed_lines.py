"""What a real run prints into a pipe."""

from pathlib import Path

from workflow_project import copy_project, job_counts


def test_lines_of_a_run_and_the_message_of_a_failed_job(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "bench")
    output = project.run("--until", "load_dataset")
    n_jobs = sum(job_counts(output).values())
    about_jobs = [line for line in output.splitlines() if "load_dataset (dataset=" in line]
    assert len(about_jobs) == 2 * n_jobs
    assert len(output.splitlines()) <= 2 * n_jobs + 12
    assert f"[{n_jobs}/{n_jobs}]" in output and ".snakemake.log" in output

    log = next((project.root / ".snakemake/log").glob("*.snakemake.log")).read_text()
    assert "rule load_dataset:" in log and "output: results/datasets/shapes.safetensors" in log

    (project.root / "data/shapes.npz").write_bytes(b"not an archive")
    output = project.run("--until", "load_dataset", check=False)
    message = next(line for line in output.splitlines() if line.startswith("error in load_dataset (dataset=shapes): "))
    assert "data/shapes.npz" in message and message.endswith("[log: results/logs/load_dataset/shapes.log]")
    assert "Error in rule load_dataset (dataset=shapes)" in output and "Traceback" not in output
