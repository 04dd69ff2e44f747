"""The profiles name rules that exist, and all that they should."""

import re
from itertools import pairwise

import pytest
import yaml
from workflow_project import REPOSITORY

RULES = {
    match[1]: match[0]
    for file in sorted(REPOSITORY.glob("workflow/rules/*.smk"))
    for match in re.finditer(r"^rule (\w+):\n(?:(?:    .*)?\n)*", file.read_text(), flags=re.MULTILINE)
}
SLURM_FILE = REPOSITORY / "profiles/slurm/config.yaml"
SLURM = yaml.safe_load(SLURM_FILE.read_text())


def stated(rule: str, resource: str) -> int:
    found = re.search(rf"{resource}=(\d+)", RULES[rule])
    assert found
    return int(found[1])


def test_every_rule_of_minutes_shares_a_submission() -> None:
    short = {rule for rule, text in RULES.items() if "**BRIEF" in text or stated(rule, "runtime") <= 10}
    assert {rule for rule, group in SLURM["groups"].items() if group == "report"} == short
    assert set(SLURM["groups"]) <= set(RULES)


def test_every_rule_that_uses_a_device_may_ask_for_a_gpu() -> None:
    assert set(SLURM["set-resources"]) == {rule for rule, text in RULES.items() if "device=" in text}


@pytest.mark.parametrize("rule", SLURM["set-resources"])
def test_resources_of_the_profile_are_those_of_the_rule(rule: str) -> None:
    expected = {"mem_mb": stated(rule, "mem_mb"), "runtime": stated(rule, "runtime"), "gpu": 0}
    assert SLURM["set-resources"][rule] == expected


def test_every_line_of_the_cluster_profile_is_explained() -> None:
    lines = SLURM_FILE.read_text().splitlines()
    for above, line in pairwise(lines):
        if re.match(r"[a-z-]+:", line):
            assert above.startswith("#") or above.endswith(":") or re.match(r"[a-z-]+: ", above), line
