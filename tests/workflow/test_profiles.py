"""The profiles name rules that exist, and all that they should."""

import re
from itertools import pairwise

import yaml
from workflow_project import REPOSITORY

from tgr.plan.estimates import DEVICE_RULES

RULES = {
    match[1]: match[0]
    for file in sorted(REPOSITORY.glob("workflow/rules/*.smk"))
    for match in re.finditer(r"^rule (\w+):\n(?:(?:    .*)?\n)*", file.read_text(), flags=re.MULTILINE)
}
SLURM_FILE = REPOSITORY / "profiles/slurm/config.yaml"
SLURM = yaml.safe_load(SLURM_FILE.read_text())


PLANNED = {rule for rule, text in RULES.items() if f'runtime=planned("{rule}", "minutes")' in text}


def test_every_rule_states_its_resources() -> None:
    for rule, text in RULES.items():
        known = rule in PLANNED and f'mem_mb=planned("{rule}", "mem_mb")' in text
        assert known or "**BRIEF" in text or re.search(r"mem_mb=\d+,\n +runtime=\d+", text), rule


def test_every_rule_of_minutes_shares_a_submission() -> None:
    short = {rule for rule, text in RULES.items() if "**BRIEF" in text}
    assert {rule for rule, text in RULES.items() if 'group:\n        "report"' in text} == short
    assert SLURM["group-components"] == {"report": 10}


def test_every_rule_that_uses_a_device_may_ask_for_a_gpu() -> None:
    assert (
        set(SLURM["set-resources"]) == set(DEVICE_RULES) == {rule for rule, text in RULES.items() if "device=" in text}
    )


def test_every_rule_that_uses_a_device_asks_for_memory_of_a_card() -> None:
    assert {rule for rule, text in RULES.items() if f'gpu_mb=on_a_card("{rule}")' in text} == set(DEVICE_RULES)


def test_no_rule_that_trains_a_meta_model_may_round() -> None:
    assert {rule for rule, text in RULES.items() if "precision=" in text} == {"pretrain", "invert", "evaluate"}


def test_every_rule_with_steps_that_can_be_recorded_may_record_them() -> None:
    assert {rule for rule, text in RULES.items() if "launches=" in text} == {"pretrain", "invert", "train", "evaluate"}


def test_profile_leaves_memory_and_run_time_to_the_plan() -> None:
    assert all(resources == {"gpu": 0} for resources in SLURM["set-resources"].values())
    assert set(SLURM["set-resources"]) <= PLANNED


def test_every_line_of_the_cluster_profile_is_explained() -> None:
    lines = SLURM_FILE.read_text().splitlines()
    for above, line in pairwise(lines):
        if re.match(r"[a-z-]+:", line):
            assert above.startswith("#") or above.endswith(":") or re.match(r"[a-z-]+: ", above), line
