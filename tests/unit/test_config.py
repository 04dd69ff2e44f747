"""Validation, its messages, and the documents generated from the models."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tgr.config import generate
from tgr.config.load import load, validate
from tgr.errors import TgrError
from tgr.evaluation.summary import ALL

ROOT = Path(__file__).parents[2]


def minimal(**changes: Any) -> dict[str, Any]:
    """Return a valid configuration, with some sections replaced."""
    return {
        "datasets": {"icons": {}},
        "pools": {"icons-conv4": {"dataset": "icons", "n_teachers": 7, "teachers_per_job": 3}},
        "scenarios": {"icons": {"pools": ["icons-conv4"], "evaluate_on": ["icons"]}},
        "methods": {"tgr": {}, "bank": {}},
    } | changes


def test_defaults_complete_a_minimal_configuration() -> None:
    config = validate(minimal(), "a.yaml")
    assert config.pretrain.epochs == 60
    assert list(config.methods.active()) == ["bank", "tgr"]


def test_numbers_in_scientific_notation_are_numbers() -> None:
    values = yaml.safe_load("{pretrain: {lr: 1e-3}}")
    assert values["pretrain"]["lr"] == "1e-3"
    assert validate(minimal(**values), "a.yaml").pretrain.lr == 1e-3


def test_shards_cover_the_pool_once() -> None:
    pool = validate(minimal(), "a.yaml").pools["icons-conv4"]
    assert [list(pool.shard(index)) for index in range(pool.n_shards)] == [[0, 1, 2], [3, 4, 5], [6]]


def test_sections_of_a_pool_change_the_shared_ones() -> None:
    values = minimal(pretrain={"epochs": 3}, inversion={"steps": 5})
    values["pools"]["icons-conv4"]["pretrain"] = {"lr": 0.5}
    config = validate(values, "a.yaml")
    assert (config.pretrain_of("icons-conv4").lr, config.pretrain_of("icons-conv4").epochs) == (0.5, 3)
    assert config.inversion_of("icons-conv4").steps == 5


@pytest.mark.parametrize(
    ("k_shot", "method", "expected"),
    [
        (5, "tgr", "any"),
        ("evaluated", "tgr", "1"),
        ("evaluated", "replay", "1"),
        ("evaluated", "realproto", "1"),
        ("evaluated", "realdata", "any"),
        ("evaluated", "bank", "any"),
    ],
)
def test_only_episodic_methods_train_for_each_shot(k_shot: int | str, method: str, expected: str) -> None:
    methods = {"tgr": {}, "replay": {}, "realdata": {}, "realproto": {}, "bank": {}}
    config = validate(minimal(meta={"k_shot": k_shot}, methods=methods), "a.yaml")
    assert config.training_shot(config.main_methods("icons")[method], 1) == expected


def ablation(**section: Any) -> dict[str, Any]:
    return {"ablations": {"heads": {"scenario": "icons"} | section}}


def test_an_ablation_runs_all_combinations_and_shares_what_it_does_not_change() -> None:
    factors = {"treatment": ["implicit", "none"], "grouping": ["heterogeneous", "random"], "gradient_lambda": [1e-3]}
    config = validate(minimal(**ablation(factors=factors)), "a.yaml")
    variants = config.ablation_variants("heads")
    assert list(variants) == ["tgr", "tgr.grouping-random", "tgr.treatment-none", "tgr.treatment-none.grouping-random"]
    assert variants["tgr.treatment-none"].parameters.treatment == "none"
    assert variants["tgr"].changes == {"treatment": "implicit", "grouping": "heterogeneous", "gradient_lambda": 1e-3}
    assert list(config.all_variants("icons"))[:2] == ["bank", "tgr"]
    assert len(config.all_variants("icons")) == 5


def test_variants_whose_values_are_nearly_equal_have_names_of_their_own() -> None:
    values = [0.0012345671, 0.0012345672, 0.25]
    config = validate(minimal(**ablation(factors={"lr": values})), "a.yaml")
    variants = config.ablation_variants("heads")
    assert list(variants) == ["tgr.lr-0.0012345671", "tgr.lr-0.0012345672", "tgr.lr-0.25"]
    assert [variant.parameters.lr for variant in variants.values()] == values


def in_scenario(**parameters: dict[str, Any]) -> dict[str, Any]:
    return {"scenarios": {"icons": {"pools": ["icons-conv4"], "evaluate_on": ["icons"], "parameters": parameters}}}


def test_a_scenario_changes_parameters_of_methods_and_of_their_variants() -> None:
    values = minimal(**in_scenario(bank={"steps": 7}, tgr={"lr": 0.5}), **ablation(factors={"temperature": [4]}))
    config = validate(values, "a.yaml")
    assert config.methods.active()["bank"].steps == 800
    assert config.main_methods("icons")["bank"].parameters.steps == 7
    assert config.ablation_variants("heads")["tgr.temperature-4"].parameters.lr == 0.5


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"replay": {"steps": 3}}, "scenarios.icons.parameters: unknown name 'replay'; valid: bank, tgr"),
        ({"bank": {"stepps": 3}}, "scenarios.icons.parameters: bank.stepps: unknown key; valid: augment, batch_size"),
        ({"bank": {"steps": 0}}, "scenarios.icons.parameters: bank.steps: Input should be greater than or equal to 1"),
    ],
)
def test_what_a_scenario_cannot_change(parameters: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(TgrError, match=re.escape(message)):
        validate(minimal(**in_scenario(**parameters)), "a.yaml")


def test_a_method_without_a_value_takes_part_with_its_defaults() -> None:
    values = yaml.safe_load("methods:\n  bank:\n  tgr: {n_groups: 2}\n  pixels: {}\n")
    active = validate(minimal(**values), "a.yaml").methods.active()
    assert (
        active
        == validate(minimal(methods={"bank": {}, "tgr": {"n_groups": 2}, "pixels": {}}), "a.yaml").methods.active()
    )
    assert list(active) == ["pixels", "bank", "tgr"]


SCENARIO = {"pools": ["icons-conv4"], "evaluate_on": ["icons"]}
LINE = {"method": "tgr", "lengths": {"group_steps": [5, 5], "replay_steps": [1, 1]}}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"evaluation": {"shots": [1, 5, 1]}}, "evaluation.shots: 1"),
        ({"evaluation": {"seeds": [0, 0]}}, "evaluation.seeds: 0"),
        ({"evaluation": {"protocols": ["ncm", "ncm"]}}, "evaluation.protocols: 'ncm'"),
        ({"evaluation": {"selections": ["meta_val", "meta_val"]}}, "evaluation.selections: 'meta_val'"),
        ({"evaluation": {"selection_protocols": ["ncm", "ncm"]}}, "evaluation.selection_protocols: 'ncm'"),
        ({"evaluation": {"tune": {"inner_lr": ["1e-1", 0.1]}}}, "evaluation.tune.inner_lr: 0.1"),
        ({"evaluation": {"tune": {"inner_steps": [5, 5]}}}, "evaluation.tune.inner_steps: 5"),
        ({"scenarios": {"icons": SCENARIO | {"pools": ["icons-conv4"] * 2}}}, "scenarios.icons.pools: 'icons-conv4'"),
        ({"scenarios": {"icons": SCENARIO | {"evaluate_on": ["icons"] * 2}}}, "scenarios.icons.evaluate_on: 'icons'"),
        ({"scenarios": {"icons": SCENARIO | {"methods": ["bank", "bank"]}}}, "scenarios.icons.methods: 'bank'"),
        ({"datasets": {"m": {"source": "mix", "of": ["a", "a"], "image_size": 8}}}, "datasets.m.of: 'a'"),
        (
            {"ablations": {"a": {"scenario": "icons", "methods": ["tgr"] * 2, "factors": {"lr": [1]}}}},
            "a.methods: 'tgr'",
        ),
        ({"ablations": {"a": {"scenario": "icons", "factors": {"lr": [0.1, 0.1]}}}}, "ablations.a.factors.lr: 0.1"),
        ({"pairs": {"two": {"pool": "icons-conv4", "others": ["b", "b"]}}}, "pairs.two.others: 'b'"),
        ({"sweeps": {"s": {"label": "n", "scenarios": {1: "icons", 2: "icons"}}}}, "sweeps.s.scenarios: 'icons'"),
        ({"budgets": {"b": {"scenario": "icons", "lines": {"long": LINE}}}}, "budgets.b.lines.long: (5, 1)"),
    ],
)
def test_repeated_entries_are_refused_with_their_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(TgrError, match=re.escape(f"{key} stands there twice; name each once")):
        validate(minimal(**changes), "a.yaml")


def test_home_is_expanded_in_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    mine = {"source": "npz", "path": "~/mine.npz", "splits": "data/./splits.json"}
    pools = {"icons-conv4": {"dataset": "icons", "n_teachers": 7}, "own": {"table": "~/own.csv", "n_teachers": 1}}
    config = validate(minimal(datasets={"icons": {}, "mine": mine}, pools=pools), "a.yaml")
    assert (config.datasets["mine"].path, config.datasets["mine"].splits) == ("/home/me/mine.npz", "data/./splits.json")
    assert config.pools["own"].table == "/home/me/own.csv"


def derived(**section: Any) -> dict[str, Any]:
    pools = {
        "icons-conv4": {"dataset": "icons", "width": 16, "inversion": {"steps": 7, "lr": 0.1}},
        "few": {"teachers_of": "icons-conv4"} | section,
    }
    return {"pools": pools}


def test_a_pool_may_take_the_teachers_of_another_one() -> None:
    config = validate(minimal(**derived(n_teachers=10, inversion={"steps": 9})), "a.yaml")
    few, origin = config.pools["few"], config.pools["icons-conv4"]
    assert (few.dataset, few.width, few.n_teachers) == ("icons", 16, 10)
    assert (config.inversion_of("few").steps, config.inversion_of("few").lr) == (9, 0.1)
    assert config.inversion_of("icons-conv4").steps == 7
    assert (origin.teachers_of, few.teachers_of) == (None, "icons-conv4")
    assert validate(minimal(**derived()), "a.yaml").pools["few"].n_teachers == 20


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"width": 8}, "pools.few: `teachers_of` brings its pool's `width`; leave that key out"),
        ({"dataset": "icons"}, "pools.few: a pool needs one of `dataset`, `table` and `teachers_of`"),
        ({"teachers_of": "many"}, "pools.few.teachers_of: unknown name 'many'; valid: icons-conv4"),
        ({"teachers_of": "few"}, "pools.few.teachers_of: unknown name 'few'; valid: icons-conv4"),
        ({"n_teachers": 12}, "pools.few.n_teachers: icons-conv4 has 20 teachers, 5 a job; choose a multiple of 5"),
        ({"n_teachers": 25}, "pools.few.n_teachers: icons-conv4 has 20 teachers"),
    ],
)
def test_what_a_pool_cannot_take(section: dict[str, Any], message: str) -> None:
    with pytest.raises(TgrError, match=re.escape(message)):
        validate(minimal(**derived(**section)), "a.yaml")


def test_a_teacher_takes_part_once() -> None:
    scenarios = {"icons": {"pools": ["icons-conv4", "few"], "evaluate_on": ["icons"]}}
    with pytest.raises(TgrError, match=re.escape("scenarios.icons.pools: a teacher takes part once")):
        validate(minimal(**derived(), scenarios=scenarios), "a.yaml")


def analysis(**section: Any) -> dict[str, Any]:
    return {"pairs": {"two": {"pool": "icons-conv4"} | section.get("pairs", {})}} | {
        "sweeps": {"many": {"label": "n", "scenarios": {1: "icons"}} | section.get("sweeps", {})}
    }


def test_a_sweep_shows_what_its_scenarios_have_in_common() -> None:
    scenario = {"pools": ["icons-conv4"], "evaluate_on": ["icons"]}
    scenarios = {"icons": scenario, "few": scenario | {"methods": ["tgr"]}}
    sections = analysis(sweeps={"scenarios": {1: "icons", 0.5: "few"}})
    assert validate(minimal(scenarios=scenarios, **sections), "a.yaml").swept_methods("many") == ["tgr"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"pairs": {"pool": "none"}}, "pairs.two.pool: unknown name 'none'; valid: icons-conv4"),
        ({"pairs": {"others": ["icons-conv4"]}}, "pairs.two.others: icons-conv4 is the base's pool, which is compared"),
        ({"pairs": {"others": ["small"]}}, "pairs.two.others: unknown name 'small'"),
        ({"sweeps": {"scenarios": {1: "none"}}}, "sweeps.many.scenarios: unknown name 'none'; valid: icons"),
        ({"sweeps": {"scenarios": {"a lot": "icons"}}}, "sweeps.many.scenarios.a lot: "),
    ],
)
def test_mistakes_in_the_analysis_are_named(section: dict[str, Any], message: str) -> None:
    with pytest.raises(TgrError, match=re.escape(message)):
        validate(minimal(**analysis(**section)), "a.yaml")


def budget(**line: Any) -> dict[str, Any]:
    lines = {"long": {"method": "tgr", "lengths": {"group_steps": [5, 50], "replay_steps": [1, 10]}} | line}
    return {"budgets": {"length": {"scenario": "icons", "lines": lines}}}


def test_lengths_of_a_budget_go_together() -> None:
    config = validate(minimal(**budget(parameters={"treatment": "none"})), "a.yaml")
    trained = [variant.parameters for variant in config.budget_variants("length").values()]
    assert [(p.group_steps, p.replay_steps, p.treatment) for p in trained] == [(5, 1, "none"), (50, 10, "none")]
    assert set(config.budget_variants("length")) < set(config.all_variants("icons"))
    assert "tgr.treatment-none.group_steps-5.replay_steps-1" in config.all_variants("icons")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"method": "none"}, "budgets.length.lines.long.method: unknown name 'none'"),
        ({"lengths": {"lr": [0, 1]}}, "budgets.length.lines.long.lengths: unknown name 'lr'; valid: "),
        ({"lengths": {"group_steps": [1, 2], "replay_steps": [1]}}, "lengths: give each parameter equally many values"),
        ({"lengths": {"group_steps": []}}, "lengths: give each parameter equally many values, one or more"),
        ({"parameters": {"treatment": "magic"}}, "budgets.length.lines: tgr.treatment: Input should be"),
    ],
)
def test_mistakes_in_a_budget_are_named(line: dict[str, Any], message: str) -> None:
    with pytest.raises(TgrError, match=re.escape(message)):
        validate(minimal(**budget(**line)), "a.yaml")


def contrasts(claims: dict[str, dict[str, float]], **cells: Any) -> dict[str, Any]:
    known = {"plain": {"parameters": {"treatment": "none"}}, "configured": {}} | cells
    return {"contrasts": {"verdict": {"scenario": "icons", "cells": known, "claims": claims}}}


def test_cells_of_contrasts_are_trained() -> None:
    config = validate(minimal(**contrasts({"better": {"configured": 1, "plain": -1}})), "a.yaml")
    assert [name for name, _ in config.contrast_cells("verdict").values()] == ["tgr.treatment-none", "tgr"]
    assert "tgr.treatment-none" in config.all_variants("icons")


@pytest.mark.parametrize(
    ("claims", "cells", "message"),
    [
        ({"better": {"plain": 1, "none": -1}}, {}, "claims.better: unknown cell 'none'; valid: plain, configured"),
        (
            {"better": {"plain": 1, "configured": 1}},
            {},
            "claims.better: give two cells or more, with weights other than 0 whose sum",
        ),
        ({"better": {"plain": 0, "configured": 0}}, {}, "claims.better: give two cells or more, with weights other"),
        ({"better": {"plain": 0}}, {}, "claims.better: give two cells or more"),
        ({"same": {"plain": 1, "configured": -1}}, {"again": {}}, "cells: configured and again are the same training"),
        ({"same": {"plain": 1, "configured": -1}}, {"none": {"method": "none"}}, "unknown name 'none'"),
        (
            {"same": {"plain": 1, "configured": -1}},
            {"magic": {"parameters": {"treatment": "magic"}}},
            "contrasts.verdict.cells: tgr.treatment: Input should be",
        ),
    ],
)
def test_mistakes_in_contrasts_are_named(claims: dict[str, Any], cells: dict[str, Any], message: str) -> None:
    with pytest.raises(TgrError, match=re.escape(message)):
        validate(minimal(**contrasts(claims, **cells)), "a.yaml")


def test_a_method_of_a_budget_counts_its_images() -> None:
    methods = {"tgr": {}, "purer": {}}
    with pytest.raises(TgrError, match="purer does not count the images of its steps"):
        validate(minimal(methods=methods, **budget(method="purer", lengths={"steps": [1]})), "a.yaml")


def test_teachers_of_a_pair_have_enough_classes_for_an_episode() -> None:
    pools = {"icons-conv4": {"dataset": "icons", "n_way": 3}}
    with pytest.raises(TgrError, match=re.escape("pairs.two.pool: icons-conv4 has teachers of 3 classes, too few")):
        validate(minimal(pools=pools, **analysis()), "a.yaml")


def test_a_scenario_may_leave_methods_out() -> None:
    scenarios = {"icons": {"pools": ["icons-conv4"], "evaluate_on": ["icons"], "methods": ["bank"]}}
    config = validate(minimal(scenarios=scenarios), "a.yaml")
    assert list(config.main_methods("icons")) == ["bank"]
    assert config.groups_shown("icons") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrian": {}}, "a.yaml: pretrian: unknown key; did you mean 'pretrain'? Valid keys: datasets, "),
        ({"pretrain": {"epoch": 3}}, "pretrain.epoch: unknown key; did you mean 'epochs'?"),
        ({"pretrain": {"epochs": 0}}, "pretrain.epochs: Input should be greater than or equal to 1 (found 0)"),
        (
            {"inversion": {"engine": "magic"}},
            "inversion.engine: Input should be 'pixel' or 'generator' (found ",
        ),
        ({"methods": {}}, "methods: name at least one of pixels, "),
        ({"methods": {"tgr": {"groups": 3}}}, "methods.tgr.groups: unknown key; did you mean 'n_groups'?"),
        ({"meta": {"n_way": 4}}, "meta.n_way: tgr learns a head of 4 outputs, but evaluation.n_way is 5"),
        (
            {"methods": {"pixels": {}}, "evaluation": {"protocols": ["finetune"]}},
            "evaluation.protocols: pixels needs one of ncm, ncm_inductive; add it",
        ),
        (
            {"pools": {"p": {"dataset": "icons", "architecture": "resnet10", "width": 4}}},
            "pools.p.width: a ResNet needs at least 8 channels, found 4",
        ),
        ({"methods": {"tgrr": {}}}, "methods.tgrr: unknown key; did you mean 'tgr'?"),
        ({"pools": {"p": {"dataset": "icns"}}}, "pools.p.dataset: unknown name 'icns'; valid: icons"),
        ({"pools": {"Bad Name": {"dataset": "icons"}}}, "pools.Bad Name: "),
        ({"datasets": {"mine": {}}}, "datasets.mine.pack: unknown name 'mine'; valid: emoji, glyphs, icons"),
        (
            {"datasets": {"icons": {}, ALL: {"pack": "glyphs"}}},
            "datasets.all: this name means the episodes of all datasets of a scenario together; choose another",
        ),
        ({"datasets": {"icons": {"splits": "third"}}}, "the pack icons has no split 'third'; valid: second"),
        ({"datasets": {"glyphs": {"splits": "second"}}}, "the pack glyphs has no split 'second'; leave it out"),
        (
            {"task_space": {"weights": "~/{a}.pth"}},
            "task_space.weights: a path names one file or folder, and cannot hold { }",
        ),
        ({"datasets": {"icons": {"source": "cub", "path": "birds[1]", "image_size": 8}}}, "cannot hold [ ]; rename it"),
        (
            {"scenarios": {"icons": {"pools": [2], "evaluate_on": ["icons"]}}},
            "pools.0: Input should be a valid string; put",
        ),
        ({"datasets": {True: {}}}, "datasets.1: Input should be a valid string; put it in quotes (found True)"),
        (
            {"datasets": {"icons": {"background": None}}},
            "background: Input should be a valid string; put it in quotes if",
        ),
        ({"datasets": {"icons": {"source": "npz"}}}, "datasets.icons: source npz needs both `path` and `splits`"),
        (
            {"methods": {"ensemble": {"n_teachers": 8}}},
            "methods.ensemble.n_teachers: 8 (ensemble), but scenario icons has 7",
        ),
        (
            {"methods": {"tgr": {"n_groups": 8}}},
            "methods.tgr.n_groups: 8 groups (tgr) need as many teachers, but scenario icons has 7",
        ),
        (ablation(factors={}), "ablations.heads.factors: "),
        (ablation(factors={"head": ["shared"]}), "ablations.heads.factors: unknown name 'head'; valid: augment, "),
        (ablation(factors={"heads": ["own"]}), "ablations.heads.factors: tgr.heads: Input should be 'shared', "),
        (ablation(methods=["free"], factors={"steps": [3]}), "ablations.heads.methods: unknown name 'free'; valid: "),
        (ablation(scenario="icns", factors={"heads": ["shared"]}), "ablations.heads.scenario: unknown name 'icns'"),
        (
            {"pools": {"p": {"architecture": "conv4"}}},
            "pools.p: a pool needs one of `dataset`, `table` and `teachers_of`",
        ),
        ({"pools": {"p": {"table": "a.csv"}}}, "pools.p: a pool from a table needs `n_teachers`"),
        (
            {"pools": {"p": {"dataset": "icons", "options": {"patch_size": 4}}}},
            "pools.p: `options` are those of timm models",
        ),
        ({"datasets": {"m": {"source": "mix"}}}, "datasets.m: a mix, and nothing else, needs `of`"),
        (
            {"datasets": {"m": {"source": "mix", "of": ["icons"], "image_size": 32}}},
            "datasets.m.of: unknown name 'icons'; valid: ",
        ),
        (
            {"evaluation": {"bn_mode": "running", "protocols": ["ncm", "ncm_inductive"]}},
            "`bn_mode: running` makes ncm inductive already",
        ),
        ({"evaluation": {"selections": ["last"]}}, "evaluation.headline: datafree is not among evaluation.selections"),
        (
            {"datasets": {"icons": {}, "new": {"pack": "icons", "splits": "second"}}}
            | {"scenarios": {"icons": {"pools": ["icons-conv4"], "evaluate_on": ["new"]}}},
            "scenarios.icons.evaluate_on: icons and new split the classes of the pack icons in two ways, so teachers",
        ),
        (
            {
                "datasets": {
                    "icons": {"source": "cifar_fs"},
                    "fc100": {"source": "fc100"},
                    "glyphs": {},
                    "both": {"source": "mix", "of": ["glyphs", "fc100"], "image_size": 32},
                }
            }
            | {"scenarios": {"icons": {"pools": ["icons-conv4"], "evaluate_on": ["both"]}}},
            "scenarios.icons.evaluate_on: icons and fc100 split the classes of CIFAR-100 in two ways, so teachers",
        ),
        ({"device": "tpu"}, "device: "),
    ],
)
def test_mistakes_are_named_with_their_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TgrError, match=re.escape(message)):
        validate(minimal(**changes), "a.yaml")


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(TgrError) as caught:
        validate(minimal(pretrain={"epochs": 0}, inversion={"steps": -1}), "a.yaml")
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not valid YAML"),
        ("- a", "a mapping of sections, not list"),
        ("", "not NoneType"),
        (None, "cannot read"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "my.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(TgrError, match=rf"my\.yaml: .*{message}"):
        load(file)


def test_configuration_is_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        validate(minimal(), "a.yaml").device = "cpu"  # type: ignore[misc]


def test_generated_documents_are_up_to_date() -> None:
    for path, text in generate.documents().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path} is stale; run `make generate`"


def test_tables_of_keys_and_files_have_as_many_cells_as_headings() -> None:
    """A bar in a description would split its cell."""
    for tables, columns in ((generate.key_tables(), 5), (generate.file_table(), 2)):
        rows = [row for row in tables.splitlines() if row.startswith("|")]
        assert {len(re.split(r"(?<!\\)\|", row)) - 2 for row in rows} == {columns}


def test_every_key_is_explained() -> None:
    for name, section in generate.sections():
        for key, field in section.get("properties", {}).items():
            assert field.get("description", "").endswith("."), f"{name}.{key} has no description"


def test_drift_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(generate, "schema", lambda: "other")
    assert generate.main(["--check"]) == 1
    assert "config.schema.json: not up to date" in capsys.readouterr().out


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda file: file.stem)
def test_schema_accepts_the_configurations_and_rejects_unknown_keys(file: Path) -> None:
    validator = Draft202012Validator(json.loads(generate.schema()))
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert not [*validator.iter_errors(values)]
    assert [*validator.iter_errors(values | {"unknown": 1})]
