"""The jobs of a configuration, and the files that they need."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tgr.config.load import validate
from tgr.config.schema import Config
from tgr.errors import TgrError
from tgr.workflow import paths, targets
from tgr.workflow.code import CodeOf
from tgr.workflow.inputs import Inputs
from tgr.workflow.jobs import Comparison, Episodes, Grouping, Jobs, Model, Shard
from tgr.workflow.parameters import entry, figure_captions, parameters

REPOSITORY = Path(__file__).parents[2]
SMALL = """
datasets: {icons: {image_size: 16}, glyphs: {flips: false}}
pools:
  icons-conv4: {dataset: icons, width: 4, n_teachers: 5, n_way: 2, teachers_per_job: 2}
  icons-again: {teachers_of: icons-conv4, n_teachers: 4, inversion: {engine: generator}}
  unused: {dataset: glyphs}
scenarios:
  first: {pools: [icons-conv4], evaluate_on: [icons], width: 4, image_size: 16}
  second: {pools: [icons-again], evaluate_on: [icons], width: 4, image_size: 16, methods: [pixels, bank]}
methods:
  pixels: {}
  random: {}
  bank: {}
  replay: {}
  realdata: {}
  tgr: {n_groups: 2}
ablations:
  grouping: {scenario: first, factors: {embedding: [fisher, logits]}}
meta: {n_way: 5, k_shot: evaluated, n_checkpoints: 2}
evaluation: {shots: [1, 5], seeds: [0, 1]}
"""
SCENARIO = {"pools": ["icons-conv4"], "evaluate_on": ["icons"], "width": 4, "image_size": 16}
POOL = {"icons-conv4": {"dataset": "icons", "width": 4, "n_teachers": 5, "n_way": 2}}


def configured(**changes: Any) -> Config:
    """Return the small configuration with some sections changed; None leaves a section out."""
    values = yaml.safe_load(SMALL) | changes
    return validate({key: value for key, value in values.items() if value is not None}, "small.yaml")


def inputs_of(**changes: Any) -> Inputs:
    return Inputs(Jobs(configured(**changes)), REPOSITORY)


def code_of(inputs: Inputs) -> CodeOf:
    return CodeOf(inputs.jobs, inputs.tables, REPOSITORY)


def test_replicates_are_further_names_of_pools_and_scenarios() -> None:
    settings = configured(replicates=3)
    assert settings.named_scenarios == ["first", "second"]
    assert settings.replicates_of("second") == ["second", "second~2", "second~3"]
    assert settings.replicates_of("second~2") == ["second~2"]
    assert settings.scenarios["second~3"].pools == ["icons-again~3"]
    assert settings.pools["icons-again~3"].teachers_of == "icons-conv4~3"
    assert settings.all_variants("first~2").keys() == settings.all_variants("first").keys() == {
        "pixels", "random", "bank", "replay", "realdata", "tgr", "tgr.embedding-logits"
    }  # fmt: skip
    assert configured().pools.keys() | configured().scenarios.keys() == {
        "icons-conv4", "icons-again", "unused", "first", "second"
    }  # fmt: skip


def test_replicates_share_datasets_and_episodes_alone() -> None:
    one, three = Jobs(configured()), Jobs(configured(replicates=3))
    assert (three.datasets, three.episodes) == (one.datasets, one.episodes)
    counts, more = one.counts(), three.counts()
    for rule in ("pretrain", "invert", "embed", "compare", "group", "train", "evaluate"):
        assert more[rule] == 3 * counts[rule], rule
    assert more["measure_transfer"] == counts["measure_transfer"], "tables show the pools of the first replicate"
    assert len(set(map(str, three.by_rule()["train"]))) == more["train"]


def test_tables_and_figures_gather_the_replicates_of_a_scenario() -> None:
    one, three = inputs_of(), inputs_of(replicates=3)
    assert targets.all_targets(three.jobs) == targets.all_targets(one.jobs)
    assert targets.counts(three.jobs) == targets.counts(one.jobs)
    gathered = three.main_evaluations("second")
    assert [file for file in gathered if "~" not in file] == one.main_evaluations("second")
    assert len(gathered) == 3 * len(one.main_evaluations("second"))
    assert "results/evaluation/second~2/bank/shot-5/seed-1" in gathered
    assert len(three.ablation_evaluations("first", "grouping")) == 3 * len(
        one.ablation_evaluations("first", "grouping")
    )
    assert three.summaries() == one.summaries()
    assert three.main_models("second") == one.main_models("second"), "costs and curves are of the first replicate"
    assert three.train_recovered("second~3", "bank") == [
        "results/recovered/icons-again~3/shard-0", "results/recovered/icons-again~3/shard-1"
    ]  # fmt: skip
    assert re.fullmatch(paths.constraints(three.jobs.settings)["scenario"], "first~3")


def test_no_name_of_a_configuration_can_be_that_of_a_replicate() -> None:
    with pytest.raises(TgrError, match="scenarios"):
        configured(scenarios={"first~2": SCENARIO}, ablations=None)


def test_only_what_scenarios_use_is_made() -> None:
    jobs = Jobs(configured())
    assert jobs.datasets == ["icons"]
    assert jobs.pretrained == [Shard("icons-conv4", index) for index in range(3)]
    assert jobs.inverted == [*jobs.pretrained, Shard("icons-again", 0), Shard("icons-again", 1)]
    assert jobs.transfers == ["icons-conv4", "icons-again"]
    assert jobs.episodes == [Episodes("icons", 1), Episodes("icons", 5)]


def test_teachers_are_embedded_only_where_methods_group_them() -> None:
    jobs = Jobs(configured())
    assert jobs.groupings("first") == [
        Grouping("first", "fisher-heterogeneous-2"),
        Grouping("first", "logits-heterogeneous-2"),
    ]
    assert jobs.comparisons("first") == [Comparison("first", "fisher"), Comparison("first", "logits")]
    assert jobs.groupings("second") == jobs.comparisons("second") == []
    assert {shard.pool for shard in jobs.embedded} == {"icons-conv4"}
    assert jobs.grouped_scenarios == ["first"]


def test_a_configuration_without_grouped_methods_draws_no_task_space() -> None:
    inputs = inputs_of(methods={"pixels": {}, "bank": {}}, ablations=None)
    jobs = inputs.jobs
    assert not {"embed", "compare", "group"} & set(jobs.counts())
    assert not {"map_task_space", "plot_task_map", "plot_dissimilarity"} & set(targets.counts(jobs))
    files = targets.all_targets(jobs)
    assert not any("task-map" in file or "dissimilarity" in file for file in files)
    assert inputs.shown_task_space("first") == inputs.embeddings("first") == []


def test_episodic_methods_are_trained_for_each_shot_others_once() -> None:
    jobs = Jobs(configured())
    assert jobs.models("first", ["bank"]) == [Model("first", "bank", "any", seed) for seed in (0, 1)]
    assert {model.shot for model in jobs.models("first", ["replay"])} == {"1", "5"}
    assert len(jobs.evaluations("first", ["bank"])) == 4
    inputs = inputs_of()
    assert inputs.model("first", "bank", "5", "1") == "results/models/first/bank/shot-any/seed-1"
    assert inputs.model("first", "replay", "5", "1") == "results/models/first/replay/shot-5/seed-1"


def test_a_training_reads_what_its_method_needs() -> None:
    inputs = inputs_of()
    for method in ("pixels", "random", "realdata"):
        assert inputs.train_teachers("first", method) == inputs.train_recovered("first", method) == []
    assert inputs.train_teachers("first", "bank") == inputs.teachers("first") != []
    assert inputs.train_recovered("first", "bank") == inputs.recovered("first") != []
    assert inputs.real_datasets("first", "realdata") == ["results/datasets/icons.safetensors"]
    assert inputs.real_datasets("first", "bank") == []
    assert inputs.task_groups("first", "bank") == []
    variant = "tgr.embedding-logits"
    assert inputs.task_groups("first", variant) == "results/task_space/first/groups/logits-heterogeneous-2.json"


@pytest.mark.parametrize(("metric", "reads"), [("weights", False), ("activations", True)])
def test_transport_reads_images_for_activations_alone(metric: str, reads: bool) -> None:
    inputs = inputs_of(methods={"pixels": {}, "bank": {}, "ota": {"ground_metric": metric}}, ablations=None)
    assert inputs.train_teachers("first", "ota")
    assert bool(inputs.train_recovered("first", "ota")) == reads


def test_recovered_images_serve_an_evaluation_that_selects_by_them() -> None:
    inputs = inputs_of()
    assert inputs.selection_recovered("first", "pixels") == []
    assert inputs.selection_recovered("first", "bank") == inputs.recovered("first")
    assert inputs.selection_recovered("first", "realdata") == [], "it has chosen its one checkpoint itself"
    single = inputs_of(meta={"n_checkpoints": 1})
    assert single.selection_recovered("first", "bank") == single.evaluation_teachers("first", "bank") == []
    rules = {"shots": [1], "selections": ["last", "meta_val"], "headline": "meta_val"}
    assert inputs_of(evaluation=rules).selection_recovered("first", "bank") == []


def test_teachers_that_are_the_model_are_read_by_its_evaluation() -> None:
    inputs = inputs_of(methods={"pixels": {}, "bank": {}, "ensemble": {}}, ablations=None)
    assert inputs.evaluation_teachers("first", "ensemble") == inputs.train_teachers("first", "ensemble") != []
    assert inputs.train_recovered("first", "ensemble") == inputs.selection_recovered("first", "ensemble") == []
    tree = parameters(inputs.jobs)
    assert tree["networks"] == {"first": {"Ensemble": 5}, "second": {}}
    assert tree["evaluation"]["first"]["ensemble"]["protocols"] == ["ncm"]


def test_a_training_depends_on_inversion_if_it_recovers_images_itself() -> None:
    fresh = inputs_of(methods={"tgr": {"fresh_images": True}, "bank": {}, "pixels": {}}, ablations=None)
    for inputs, method, expected in ((fresh, "tgr", True), (fresh, "bank", False), (inputs_of(), "tgr", False)):
        code, given = code_of(inputs).train("first", method), parameters(inputs.jobs)
        for file in ("inversion/pixel.py", "meta/fresh.py"):
            assert any(name.endswith(file) for name in code) == expected
        assert not any(file.endswith("inversion/generator.py") for file in code)
        engines = [inversion["engine"] for inversion in given["inversions"]["first"][method]]
        assert engines == (["pixel"] * len(inputs.recovered("first")) if expected else [])
        assert given["method_probe"]["first"][method] is None
        assert inputs.train_weights("first", method) == []


def test_a_training_that_recovers_images_with_the_probe_reads_it() -> None:
    changes: dict[str, Any] = {"inversion": {"probe_weight": 1}, "task_space": {"weights": "probe.pth"}}
    inputs = inputs_of(methods={"tgr": {"fresh_images": True}, "bank": {}, "pixels": {}}, ablations=None, **changes)
    assert inputs.train_weights("first", "tgr") == ["probe.pth"]
    assert inputs.train_weights("first", "bank") == []
    assert parameters(inputs.jobs)["method_probe"]["first"]["tgr"]["weights"] == "probe.pth"


def test_a_pool_of_anothers_teachers_reads_them_there() -> None:
    inputs = inputs_of()
    assert inputs.shard_teachers("icons-again", "1") == "results/teachers/icons-conv4/shard-1"
    assert inputs.teachers("second") == [f"results/teachers/icons-conv4/shard-{index}" for index in (0, 1)]
    assert inputs.recovered("second") == [f"results/recovered/icons-again/shard-{index}" for index in (0, 1)]


def test_code_of_a_job_is_that_of_its_stage_and_of_what_it_names() -> None:
    inputs = inputs_of()
    pixel, generator = (code_of(inputs).invert(pool) for pool in ("icons-conv4", "icons-again"))
    assert any(file.endswith("inversion/pixel.py") for file in pixel)
    assert not any(file.endswith("inversion/pixel.py") for file in generator)
    assert all(Path(file).is_file() for file in pixel)
    bank = code_of(inputs).train("first", "bank")
    assert any(file.endswith("methods/bank.py") for file in bank)
    assert not any(file.endswith(("methods/tgr.py", "inversion/pixel.py", "inversion/stage.py")) for file in bank)


def test_code_of_a_job_has_the_architectures_of_its_pool_or_scenario() -> None:
    pools = yaml.safe_load(SMALL)["pools"] | {"deep": {"dataset": "icons", "architecture": "resnet10", "n_way": 2}}
    third = {"pools": ["icons-again", "deep"], "evaluate_on": ["icons"], "width": 4, "image_size": 16}
    inputs = inputs_of(pools=pools, scenarios=yaml.safe_load(SMALL)["scenarios"] | {"third": third})
    deep = [code_of(inputs).pretrain("deep"), code_of(inputs).invert("deep"), code_of(inputs).train("third", "bank")]
    shallow = [
        code_of(inputs).pretrain("icons-conv4"),
        code_of(inputs).evaluate("first"),
        code_of(inputs).train("first", "bank"),
    ]
    assert all("resnet.py" in {Path(file).name for file in files} for files in deep)
    assert all({Path(file).name for file in files} & {"conv4.py", "resnet.py"} == {"conv4.py"} for files in shallow)


def test_code_of_a_job_has_the_file_of_an_own_architecture() -> None:
    own = {"dataset": "icons", "architecture": "python:tests.own_networks:Net", "n_way": 2}
    inputs = inputs_of(pools=yaml.safe_load(SMALL)["pools"] | {"own": own})
    assert any(Path(file).name == "own_networks.py" for file in code_of(inputs).invert("own"))
    assert not any(Path(file).name == "own_networks.py" for file in code_of(inputs).invert("icons-conv4"))


def test_constraints_match_the_names_of_the_configuration_and_no_others() -> None:
    patterns = paths.constraints(configured())
    names = {
        "method": ("tgr.embedding-logits", "tgrXembedding-logits"),
        "shot": ("any", "2"),
        "seed": ("1", "2"),
        "scenario": ("first", "third"),
        "grouping": ("fisher-balanced@0.5-5", "fisher"),
    }
    for wildcard, (known, unknown) in names.items():
        assert re.fullmatch(patterns[wildcard], known)
        assert not re.fullmatch(patterns[wildcard], unknown)
    assert not re.fullmatch(patterns["sweep"], "none") and not re.fullmatch(patterns["sweep"], "")


def test_every_job_has_a_path_that_its_constraints_match() -> None:
    jobs = Jobs(configured())
    patterns = paths.constraints(jobs.settings)
    named = [*jobs.inverted, *jobs.groupings("first"), *jobs.models("first"), *jobs.evaluations("first")]
    for job in named:
        for wildcard, value in job._asdict().items():
            assert re.fullmatch(patterns[wildcard], str(value)), f"{wildcard}={value}"


def test_weights_of_an_address_are_fetched_before_they_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {
        "architecture": "conv4",
        "classes": 2,
        "image_size": 16,
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
        "licence": "CC0",
    }
    rows = [
        {"name": "near", "weights": "w.pth", "sha256": "0" * 64, **row},
        {"name": "far", "weights": "https://example.org/w.pth.tar", "sha256": "1" * 64, **row},
    ]
    Path("own").mkdir()
    Path("own/models.yaml").write_text(yaml.safe_dump(rows))
    inputs = inputs_of(pools=yaml.safe_load(SMALL)["pools"] | {"own": {"table": "own/models.yaml", "n_teachers": 2}})
    name = "1" * 64 + ".pth.tar"
    assert inputs.model_files("own", "0") == ["own/w.pth", f"results/downloads/weights/{name}"]
    assert inputs.addresses == {name: "https://example.org/w.pth.tar"}
    assert inputs.address(name) == "https://example.org/w.pth.tar"


def test_missing_source_is_an_error_until_the_dataset_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    datasets = {"icons": {}, "mine": {"source": "miniimagenet", "path": "mine"}}
    settings = configured(datasets=datasets, pools={"icons-conv4": {"dataset": "icons"}}, ablations=None, scenarios={
        "first": {"pools": ["icons-conv4"], "evaluate_on": ["mine"]}})  # fmt: skip
    with pytest.raises(TgrError, match=r"datasets\.mine\.path"):
        Inputs(Jobs(settings), REPOSITORY)
    made = Path(paths.DATASET.format(dataset="mine"))
    made.parent.mkdir(parents=True)
    made.touch()
    assert Inputs(Jobs(settings), REPOSITORY).dataset_files("mine") == ["mine"]


def test_parameters_of_one_method_change_that_method_alone() -> None:
    before, after = (parameters(Jobs(configured(methods={"pixels": {}, "bank": {"steps": steps}}, ablations=None)))
                     for steps in (5, 6))  # fmt: skip
    path = "variant/{scenario}/{method}"
    bank, pixels = ({"scenario": "first", "method": name} for name in ("bank", "pixels"))
    assert entry(before, path)(bank) != entry(after, path)(bank)
    assert entry(before, path)(pixels) == entry(after, path)(pixels)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"variant"}


def test_main_table_is_told_of_heads_and_of_accuracies_published_for_its_dataset() -> None:
    methods = {"random": {}, "free": {}, "tgr": {"heads": "per_teacher"}}
    tree = parameters(Jobs(configured(methods=methods, ablations=None, scenarios={"only": SCENARIO}, pools=POOL)))
    assert tree["heads"]["only"] == {"aligned": ["FREE"], "per_teacher": ["TGR"]}
    assert tree["published"]["only"] == []
    datasets = {"icons": {"source": "cifar_fs", "image_size": 16}}
    tree = parameters(
        Jobs(configured(methods=methods, ablations=None, scenarios={"only": SCENARIO}, datasets=datasets, pools=POOL))
    )
    assert tree["published"]["only"] == ["FREE 39.13 % in 5-way 1-shot (Wei et al., CVPR 2024)"]


def test_figures_are_captioned_by_the_pattern_of_their_rule() -> None:
    captions = {"results/figures/{scenario}/accuracy.png": "accuracy", "results/figures/theory.png": "theory"}
    files = ["results/figures/first/accuracy.png", "results/figures/first/accuracy.pdf", "results/figures/theory.pdf"]
    assert figure_captions(files, captions) == {
        "results/figures/first/accuracy.pdf": ["accuracy.rst", {"scenario": "first"}],
        "results/figures/theory.pdf": ["theory.rst", {}],
    }
