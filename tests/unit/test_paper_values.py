"""What key descriptions call the paper's, `(paper: <value>)`, is what `config/paper.yaml` has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tgr.config.generate import sections
from tgr.config.load import load

PAPER = load(Path(__file__).parents[2] / "config/paper.yaml")
NAMED = re.compile(r"[(;] ?paper: ([^;)]+)\)")
VALUES = [
    (section, key, yaml.safe_load(named.group(1)))
    for section, about in sections()
    for key, field in about.get("properties", {}).items()
    if (named := NAMED.search(field.get("description", "")))
]


def configured(section: str, key: str) -> Any:
    value: Any = PAPER
    for part in (*section.split("."), key):
        value = getattr(value, part)
    return value


def test_descriptions_name_values_of_every_stage() -> None:
    assert {section for section, _, _ in VALUES} >= {
        "pretrain", "inversion", "meta", "evaluation", "methods.tgr", "methods.purer", "methods.bidf_mkd",
        "methods.free",
    }  # fmt: skip


def test_descriptions_say_it_in_one_way() -> None:
    for section, about in sections():
        for key, field in about.get("properties", {}).items():
            text = field.get("description", "")
            assert text.count("paper: ") == len(NAMED.findall(text)) <= 1, f"{section}.{key}: {text}"
            assert "(the paper)" not in text and "(paper)" not in text, f"{section}.{key}: name the value"


@pytest.mark.parametrize(("section", "key", "value"), VALUES, ids=lambda part: str(part))
def test_configuration_of_the_paper_has_its_values(section: str, key: str, value: Any) -> None:
    found = configured(section, key)
    if value == "all":
        assert found >= max(
            sum(PAPER.pools[pool].n_teachers for pool in scenario.pools) for scenario in PAPER.scenarios.values()
        )
    else:
        assert found == value
