"""Every command line of the documents is one that its program understands; nothing is run."""

import argparse
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

from tests.unit.test_documents import COMMANDS, HISTORY, ROOT, name

DOCUMENTS = [document for document in COMMANDS if document != HISTORY]
BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?(?:snakemake|python|make) [^`]+)`")
RULES = re.findall(
    r"^rule (\w+):", "".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk")), re.MULTILINE
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
OWN = ("my.yaml", "mine.yaml")
"""What documents call a configuration of the reader's."""


def blocks(document: Path) -> list[str]:
    """Return the shell scripts in a document."""
    return [textwrap.dedent(script) for _, script in BLOCK.findall(document.read_text(encoding="utf-8"))]


def commands(document: Path) -> Iterator[list[str]]:
    """Yield the words of each command in a document, in blocks and in the text, up to a pipe."""
    text = re.sub(r"\n(# )?", " ", FENCE.sub("", document.read_text(encoding="utf-8")))
    scripts = [*blocks(document), *INLINE.findall(text)]
    for script in scripts:
        pending = ""
        for line in script.splitlines():
            pending += line + "\n"
            try:
                words = shlex.split(pending.replace("\\\n", ""), comments=True)
            except ValueError:  # a quotation that goes on
                continue
            pending = ""
            if words:
                yield words[: next((i for i, word in enumerate(words) if word in ("|", ">", "&&")), len(words))]
        assert not pending, f"{document}: a quotation does not end: {pending}"


def calls(program: str) -> list[list[str]]:
    """Return the arguments of each call of a program in the documents; equal ones once."""
    found = (words for document in DOCUMENTS for words in commands(document))
    return [*map(list, dict.fromkeys(tuple(words[1:]) for words in found if Path(words[0]).name == program))]


def identify(arguments: list[str]) -> str:
    return " ".join(arguments)[:60]


@pytest.mark.parametrize("document", [file for file in DOCUMENTS if blocks(file)], ids=name)
def test_blocks_are_shell_scripts(document: Path) -> None:
    for script in blocks(document):
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert not done.stderr, f"{script}\n{done.stderr}"


@pytest.mark.parametrize("arguments", calls("snakemake"), ids=identify)
def test_snakemake_takes_each_word_for_what_it_is(arguments: list[str]) -> None:
    """An option that takes several values swallows a target behind it."""
    parsed = get_argument_parser().parse_args(arguments)
    for file in map(str, parsed.configfile or ()):
        assert (ROOT / file).is_file() or file in OWN, f"{file} is no configuration"
    assert not [target for target in parsed.targets if target not in RULES and not target.startswith("results/")]
    assert {*(parsed.forcerun or ())} <= {*RULES}
    assert all((ROOT / profile / "config.yaml").is_file() for profile in parsed.profile or ())


@pytest.mark.parametrize("arguments", calls("make"), ids=identify)
def test_make_has_each_target_and_variable(arguments: list[str]) -> None:
    for word in arguments:
        variable, assigned, value = word.partition("=")
        assert re.search(rf"^{variable} \?=|^{variable}:" if assigned else rf"^{word}:", MAKEFILE, re.MULTILINE), word
        assert "/" not in value or (ROOT / value).exists(), word


class _ParsedError(Exception):
    """The arguments were understood."""


@pytest.mark.parametrize("code", [words[1] for words in calls("python") if words[0] == "-c"])
def test_python_code_is_valid(code: str) -> None:
    compile(code, "a document", "exec")


@pytest.mark.parametrize("arguments", [words[1:] for words in calls("python") if words[0] == "-m"], ids=identify)
def test_module_is_there_and_takes_the_arguments(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Start it, and stop when it has understood them; a module without options has to name files that are there."""
    if arguments[0] == "pytest":
        assert all((ROOT / word).exists() for word in arguments[1:] if "/" in word)
        return
    path = ROOT / arguments[0].replace(".", "/")
    source = (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    if not re.search(r"parse_args|timing\.parser", source):
        assert "__main__" in source and all([*ROOT.glob(file)] for file in arguments[1:])
        return
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, *given: object) -> None:
        parse(parser, *given)
        raise _ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.delitem(sys.modules, arguments[0], raising=False)
    with pytest.raises(_ParsedError):
        runpy.run_module(arguments[0], run_name="__main__")
