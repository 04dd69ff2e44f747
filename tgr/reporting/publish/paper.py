"""The kit for a paper: figures, tables and captions of a finished run, a skeleton that holds them all, a bibliography,
and a manifest that says what everything was made from; as a folder and as an archive. Nothing is computed again."""

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils.core import publish_parts
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tgr import __version__
from tgr.artifacts import digest, provenance_path, read_json, write_json
from tgr.config.base import Section
from tgr.config.methods.registry import entry_key
from tgr.errors import TgrError
from tgr.reporting.figures.style import WIDTHS
from tgr.reporting.tables.markup import escape_latex

TEMPLATES = Path(__file__).parent / "templates"
LATEX = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True,
    variable_start_string="<<", variable_end_string=">>", block_start_string="<%", block_end_string="%>",
)  # fmt: skip
"""Marks of templates in LaTeX, where braces mean something else."""
LATEX.filters["latex"] = escape_latex
MARGIN = 1.75
"""Inches beside the text, both sides together."""
DOCUTILS = {"use_latex_citations": True, "legacy_column_widths": False}
"""The defaults of the next version, which would otherwise be warned of."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of everything in the archive, so that equal content gives equal bytes."""


class Paper(Section):
    """What the kit says of a run.

    Attributes:
        captions: for each figure the name of its caption's file, and the wildcards that the caption speaks of.
        methods: labels by name, of all methods that take part.
        bibliography: entries in BibTeX, by the method that they describe.
        settings: the resolved configuration.
        command: what makes the run.
    """

    captions: dict[str, tuple[str, dict[str, str]]]
    methods: dict[str, str]
    bibliography: dict[str, str]
    settings: dict[str, Any]
    command: str


def write_paper(*, files: Sequence[Path], captions: Sequence[Path], paper: Paper, folder: Path, archive: Path) -> None:
    """Collect what a run made.

    Args:
        files: beside ``folder``: tables as ``.tex`` and ``.csv``, figures as ``.pdf``, in the order of the paper.
        captions: the files of captions, reStructuredText with marks.
        paper: what to say of the run.
        folder, archive: where to put the kit, and the same as a zip file.

    Raises:
        TgrError: a file is missing or has no provenance, or a figure has no caption.
    """
    folder.mkdir(parents=True)
    texts = {file.name: file.read_text(encoding="utf-8") for file in captions}
    floats: dict[str, list[str]] = {}
    sources = {}
    for file in files:
        name = file.relative_to(folder.parent)
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(file, copy)
        except OSError as error:
            raise TgrError(f"{file}: missing ({error.strerror}); finish the run first") from error
        sources[name.as_posix()] = read_json(provenance_path(file))
        if file.suffix == ".pdf":
            copy.with_suffix(".tex").write_text(_figure(name, texts, paper), encoding="utf-8")
        if file.suffix == ".tex":
            copy.write_text(_labelled(file.read_text(encoding="utf-8"), name), encoding="utf-8")
        if file.suffix in (".pdf", ".tex"):
            floats.setdefault(_part(name), []).append(name.with_suffix("").as_posix())
    general = (TEMPLATES / "results.bib").read_text(encoding="utf-8")
    (folder / "results.bib").write_text("\n".join([general, *paper.bibliography.values()]), encoding="utf-8")
    (folder / "main.tex").write_text(_skeleton(floats, paper), encoding="utf-8")
    write_json(folder / "manifest.json", _manifest(folder, sources, paper))
    _pack(folder, archive)


def caption_text(caption: str, wildcards: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """Return a caption, reStructuredText with marks, as LaTeX."""
    about = SimpleNamespace(wildcards=SimpleNamespace(**wildcards), config=settings)
    text = Template(caption, undefined=StrictUndefined).render(snakemake=about)
    return " ".join(publish_parts(text, writer="latex", settings_overrides=DOCUTILS)["body"].split())


def _part(name: Path) -> str:
    """Return the section to which a file belongs: a scenario, or what spans all of them."""
    return name.parts[1] if len(name.parts) > 2 else "all scenarios"


def _label(name: Path) -> str:
    kind = {"figures": "fig", "tables": "tab"}[name.parts[0]]
    return f"{kind}:{'-'.join(name.with_suffix('').parts[1:])}"


def _figure(name: Path, captions: Mapping[str, str], paper: Paper) -> str:
    file = f"results/{name.as_posix()}"
    if file not in paper.captions:
        raise TgrError(f"{file}: a figure without a caption; give its rule's output one (figure_files)")
    caption, wildcards = paper.captions[file]
    lines = [
        "% needs \\usepackage{graphicx}; the figure has its final size",
        "\\begin{figure*}",
        "\\centering",
        f"\\includegraphics{{{name.as_posix()}}}",
        f"\\caption{{{caption_text(captions[caption], wildcards, paper.settings)}}}",
        f"\\label{{{_label(name)}}}",
        "\\end{figure*}",
    ]
    return "\n".join(lines) + "\n"


def _labelled(table: str, name: Path) -> str:
    """Put a label behind the caption of a table."""
    lines = table.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith("\\caption{")), None)
    if at is None:
        raise TgrError(f"results/{name}: no caption; make the table again")
    return "\n".join([*lines[: at + 1], f"\\label{{{_label(name)}}}", *lines[at + 1 :]]) + "\n"


def _skeleton(floats: Mapping[str, Sequence[str]], paper: Paper) -> str:
    """Return a document that holds all floats, a section for each scenario."""
    width = WIDTHS[paper.settings["figures"]["venue"]][1]
    return LATEX.get_template("paper.tex").render(
        paper_width=f"{width + MARGIN:g}",
        text_width=f"{width:g}",
        methods=paper.methods,
        keys={name: entry_key(entry) for name, entry in paper.bibliography.items()},
        sections={part: list(dict.fromkeys(names)) for part, names in floats.items()},
    )


def _manifest(folder: Path, sources: Mapping[str, Mapping[str, Any]], paper: Paper) -> dict[str, Any]:
    """Say what everything was made from. It holds no times: equal results give an equal kit."""
    versions: dict[str, set[str]] = {}
    for record in sources.values():
        for name, version in record["versions"].items():
            versions.setdefault(name, set()).add(version)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    origins = {
        name: {"rule": r["rule"], "code": r["code"]["sha256"], "inputs": r["inputs"]} for name, r in sources.items()
    }
    return {
        "software": f"TGR-bench {__version__}",
        "command": paper.command,
        "configuration_sha256": sha256(json.dumps(paper.settings, sort_keys=True).encode()).hexdigest(),
        "configuration": paper.settings,
        "versions": {name: ", ".join(sorted(releases)) for name, releases in sorted(versions.items())},
        "files": {name: {"sha256": digest(folder / name)} | origins.get(name, {}) for name in files},
    }


def _pack(folder: Path, archive: Path) -> None:
    """Write a folder as a zip file whose bytes depend on names and contents alone."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"paper/{file.relative_to(folder).as_posix()}", EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, file.read_bytes())
