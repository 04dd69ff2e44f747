"""The kit for a paper, from small results in the real formats."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from synthetic_results import summary_of, write_evaluation

from tgr.artifacts import digest, write_json
from tgr.config.methods.registry import CARDS, bibliography, entry_key
from tgr.errors import TgrError
from tgr.reporting.figures.style import style
from tgr.reporting.publish.paper import TEMPLATES, Paper, write_paper
from tgr.reporting.save import save
from tgr.reporting.tables import main, selection

METHODS = {"pixels": "Pixels", "bank": "Bank & co_1", "tgr": "TGR", "realdata": "Real data"}
CAPTIONS = Path(__file__).parents[2] / "workflow/report"
SETTINGS = {"figures": {"venue": "icml"}}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Tables and a figure of a run in the current folder, each with its provenance."""
    monkeypatch.chdir(tmp_path)
    folders = [
        write_evaluation(tmp_path, name, 0.3 + 0.1 * i, shot=shot, datasets=("toys", "tools"))
        for i, name in enumerate(METHODS)
        for shot in (1, 5)
    ]
    tables = Path("results/tables/toys")
    summary = summary_of(folders, METHODS)
    save(main.table(summary, headline="meta_val"), tables / "main.csv", tables / "main.tex")
    save(selection.table(summary), tables / "selection.tex")
    with style():
        figure = Figure((6.75, 1))
        figure.text(0.5, 0.5, "figure")
        save(figure, "results/figures/toys/accuracy.png", "results/figures/toys/accuracy.pdf")
    wanted = [tables / name for name in ("main.csv", "main.tex", "selection.tex")]
    wanted.append(Path("results/figures/toys/accuracy.pdf"))
    for file in wanted:
        record = {"rule": "r", "code": {"sha256": "c"}, "inputs": {}, "versions": {"tgr": "1", "numpy": "2"}}
        write_json(file.with_name(f"{file.name}.provenance.json"), record)
    return wanted


def paper(captions: dict[str, tuple[str, dict[str, str]]]) -> Paper:
    return Paper(
        captions=captions,
        methods=METHODS,
        bibliography=bibliography(),
        settings=SETTINGS,
        command="snakemake --configfile my.yaml",
    )


def collect(files: list[Path], name: str = "paper") -> tuple[Path, Path]:
    wildcards = dict.fromkeys(("scenario", "ablation", "pairs", "sweep", "budget", "contrasts"), "toys")
    shown = {file.as_posix(): (f"{file.stem}.rst", wildcards) for file in files if file.suffix == ".pdf"}
    folder, archive = Path("results", name), Path("results", f"{name}.zip")
    captions = sorted(CAPTIONS.glob("*.rst"))
    write_paper(files=files, captions=captions, paper=paper(shown), folder=folder, archive=archive)
    return folder, archive


def test_kit_is_complete_and_the_same_twice(files: list[Path]) -> None:
    folder, archive = collect(files)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["command"] == "snakemake --configfile my.yaml" and manifest["configuration"] == SETTINGS
    assert manifest["versions"] == {"numpy": "2", "tgr": "1"}
    for name, about in manifest["files"].items():
        assert about["sha256"] == digest(folder / name)
    assert manifest["files"]["tables/toys/main.csv"]["rule"] == "r"
    with zipfile.ZipFile(archive) as packed:
        assert {f"paper/{name}" for name in [*manifest["files"], "manifest.json"]} == set(packed.namelist())
    assert archive.read_bytes() == collect(files, "again")[1].read_bytes()


def test_every_float_has_a_label_of_its_own_and_stands_in_the_skeleton(files: list[Path]) -> None:
    folder, _ = collect(files)
    text = "".join(file.read_text() for file in sorted(folder.rglob("*/*.tex")))
    found = re.findall(r"\\label\{(.*?)\}", text)
    assert sorted(found) == ["fig:toys-accuracy", "tab:toys-main", "tab:toys-selection"]
    inputs = re.findall(r"\\input\{(.*?)\}", (folder / "main.tex").read_text())
    assert sorted(inputs) == ["figures/toys/accuracy", "tables/toys/main", "tables/toys/selection"]
    assert "95~\\% confidence" in text.replace("95 \\%", "95~\\%") and "scenario toys" in text


def keys(bibliography: str) -> list[str]:
    return re.findall(r"^@\w+\{(\w+),", bibliography, re.MULTILINE)


def test_bibliography_is_that_of_the_text_and_of_the_methods(files: list[Path]) -> None:
    folder, _ = collect(files)
    found = keys((folder / "results.bib").read_text())
    cited = set(re.findall(r"\\cite\{(\w+)\}", (folder / "main.tex").read_text()))
    assert len(found) == len(set(found)) and cited <= set(found)
    assert set(keys((TEMPLATES / "results.bib").read_text())) == cited - {entry_key(CARDS["tgr"].bibtex)}
    assert "TGR~\\cite{wei2024task}" in (folder / "main.tex").read_text()


def test_every_method_with_a_paper_has_its_entry() -> None:
    for name, card in CARDS.items():
        assert bool(card.citation) == bool(card.bibtex), name
        assert not card.bibtex or keys(card.bibtex) == [entry_key(card.bibtex)]


def test_what_is_missing_is_named(files: list[Path]) -> None:
    with pytest.raises(TgrError, match=r"accuracy\.pdf: a figure without a caption"):
        write_paper(
            files=files, captions=[], paper=paper({}), folder=Path("results/paper"), archive=Path("results/paper.zip")
        )
    files[0].unlink()
    with pytest.raises(TgrError, match=r"main\.csv: missing .*finish the run first"):
        collect(files, "other")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is missing (Debian: texlive-latex-recommended)")
def test_skeleton_compiles_without_warnings(files: list[Path]) -> None:
    """With a figure for each caption of the report, whatever letters it uses."""
    [drawn] = [file for file in files if file.suffix == ".pdf"]
    for caption in sorted(set(CAPTIONS.glob("*.rst")) - {CAPTIONS / "accuracy.rst", CAPTIONS / "workflow.rst"}):
        copy = drawn.with_stem(caption.stem)
        shutil.copyfile(drawn, copy)
        shutil.copyfile(
            drawn.with_name(f"{drawn.name}.provenance.json"), copy.with_name(f"{copy.name}.provenance.json")
        )
        files.append(copy)
    folder, _ = collect(files)
    pdflatex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main"]
    for command in (pdflatex, ["bibtex", "main"], pdflatex, pdflatex):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:]
    log = (folder / "main.log").read_text(errors="replace")
    wrong = [line for line in log.splitlines() if re.search(r"LaTeX Warning|Overfull|Missing character", line)]
    assert not wrong
    assert (folder / "main.pdf").stat().st_size > 10_000
