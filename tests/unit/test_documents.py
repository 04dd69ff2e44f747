"""The documents name what exists: their links, and the files, folders, modules and make targets that they mention."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / folder / "README.md" for folder in ("config", "results")),
]
COMMANDS = [*DOCUMENTS, *(ROOT / "config").rglob("*.yaml")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = ("benchmarks", "config", "docs", "envs", "profiles", "resources", "tests", "tgr", "workflow")
HISTORY = ROOT / "CHANGELOG.md"


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = document.parent / path if path else document
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    relative = [link for link in links if not re.match(r"https?:", link)]
    assert not [link for link in relative if not leads_somewhere(document, link)]


def exists(word: str) -> bool:
    """Return whether a word that looks like a file, folder or module of the project names one."""
    if dotted := re.match(r"tgr(\.\w+)+", word):
        return resolves(dotted[0])
    if re.fullmatch(r"\w+\.smk", word):
        return (ROOT / "workflow/rules" / word).is_file()
    if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./-]*", word):
        return (ROOT / word).exists()
    return True


def resolves(dotted: str) -> bool:
    """Return whether a dotted name is a package, a module, or a function or class of one."""
    path = ROOT / dotted.replace(".", "/")
    module = path.parent.with_suffix(".py")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    definition = rf"^(def|class) {path.name}\b"
    return module.is_file() and bool(re.search(definition, module.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("document", [file for file in DOCUMENTS if file != HISTORY], ids=name)
def test_files_and_modules_in_code_font_exist(document: Path) -> None:
    words = {word for code in CODE.findall(document.read_text(encoding="utf-8")) for word in code.split()}
    assert not sorted(word for word in words if not exists(word))


@pytest.mark.parametrize("document", COMMANDS, ids=name)
def test_make_targets_exist(document: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"`make ([a-z][\w-]*)|^make ([a-z][\w-]*)", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert not [target for pair in named for target in pair if target and target not in targets]


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1200


def test_the_readme_of_results_names_every_place_that_rules_write_to() -> None:
    sources = [*(ROOT / "workflow/rules").glob("*.smk"), *(ROOT / "tgr/workflow").glob("*.py")]
    places = {place for file in sources for place in re.findall(r'"results/([\w.]+)', file.read_text(encoding="utf-8"))}
    readme = (ROOT / "results/README.md").read_text(encoding="utf-8")
    assert "tables" in places
    assert not {place for place in places if f"`{place}" not in readme}
