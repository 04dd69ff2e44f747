"""Tables and figures from small inputs in the real formats."""

import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_checks import assert_figure, assert_legible, legible_figures  # noqa: F401
from matplotlib import rc_context
from matplotlib.figure import Figure
from synthetic_results import make_dataset, summary_of, write_evaluation, write_shard

from tgr.analysis.example_picking import pick_examples, pick_teachers
from tgr.analysis.examples import Example, Examples
from tgr.artifacts import write_json
from tgr.config.methods.registry import Methods
from tgr.errors import TgrError
from tgr.evaluation.curves import read_curves
from tgr.evaluation.summary import read_episodes, seed_means
from tgr.inversion.recovered import load_recovered
from tgr.reporting.figures import accuracy, budget, curves, sweep
from tgr.reporting.figures import recovered as recovered_figure
from tgr.reporting.figures.style import WIDTHS, method_colours, method_markers, style
from tgr.reporting.save import save
from tgr.reporting.tables import main, overview, selection
from tgr.reporting.tables.markup import Block, Cell, Table, decimals, escape_latex

METHODS = {"pixels": "Pixels", "random": "Random", "bank": "Bank", "tgr": "TGR", "realdata": "Real data"}
MEANS = {"pixels": 0.35, "random": 0.3, "bank": 0.52, "tgr": 0.6, "realdata": 0.8}


def evaluations(root: Path, methods: Iterable[str], n_seeds: int = 1, **options: object) -> list[Path]:
    return [
        write_evaluation(
            root,
            m,
            MEANS[m],
            shot=shot,
            seed=seed,
            **({"protocols": ("ncm",)} if m == "pixels" else {}),
            **options,  # type: ignore[arg-type]
        )
        for m in methods
        for shot in (1, 5)
        for seed in range(n_seeds)
    ]


def main_table(folders: list[Path], methods: Mapping[str, str]) -> tuple[pd.DataFrame, str, str]:
    table = main.table(summary_of(folders, methods), headline="datafree")
    return pd.read_csv(StringIO(table.to_csv())), table.to_markdown(), table.to_latex()


def table_of(block: Block, caption: str = "c", notes: Sequence[str] = ()) -> Table:
    return Table(pd.DataFrame(), caption, "Method", [block], notes)


def test_main_table(tmp_path: Path) -> None:
    folders = evaluations(tmp_path, METHODS)
    csv, markdown, latex = main_table(folders, METHODS)
    assert list(dict.fromkeys(csv["method"])) == list(METHODS)
    assert set(csv["selection"]) == {"datafree"}
    rows = [line.split("|")[1].strip() for line in markdown.splitlines() if line.startswith("| ")]
    assert rows == ["Method", "Pixels (floor)", "Random", "Bank", "TGR", "Real data (ceiling)"]
    raw = pd.read_parquet(folders[6] / "episodes.parquet")
    own = raw[(raw["protocol"] == "ncm") & (raw["selection"] == "datafree")]["accuracy"].mean()
    found = csv[(csv["method"] == "tgr") & (csv["shot"] == 1) & (csv["protocol"] == "ncm")]["mean"].item()
    assert found == pytest.approx(own, rel=1e-12), "the CSV keeps full precision"
    assert f"{100 * own:.1f} ±" in markdown
    for fact in (
        "40 meta-test episodes",
        "the one training of each method",
        "No bold: fewer than 3 trainings",
        "bn\\_mode = batch",
        "data-free. The headline is 5-shot nearest class mean",
        "difference to TGR",
    ):
        assert fact in markdown
    assert "below the floor (nearest class mean on raw pixels, same shot): Random" in markdown
    assert latex.count("\\toprule") == latex.count("\\bottomrule") == 1
    assert latex.count("{") == latex.count("}")
    widths = {line.replace("\\&", "").count("&") for line in latex.splitlines() if line.startswith("Bank")}
    assert widths == {6}


def test_three_trainings_earn_bold_and_stars(tmp_path: Path) -> None:
    _, markdown, latex = main_table(evaluations(tmp_path, METHODS, n_seeds=3), METHODS)
    lines = {line.split("|")[1].strip(): line for line in markdown.splitlines() if line.startswith("| ")}
    assert lines["TGR"].count("**") == 2 * 6 and "\\mathbf{" in latex
    assert "**" not in lines["Real data (ceiling)"] + lines["Random"]
    assert "\\*" in lines["Random"]
    for fact in ("over 3 trainings of each method and over episodes", "Holm", "less than 1 point"):
        assert fact in markdown


def test_table_without_tgr_floor_and_ceiling_says_so(tmp_path: Path) -> None:
    folders = evaluations(tmp_path, ["random", "bank"], selections=("last", "datafree"))
    csv, markdown, _ = main_table(folders, METHODS)
    assert set(csv["reference"]) == {"bank"}
    assert not csv["below_floor"].any()
    for fact in ("TGR takes no part", "Bank is the reference", "No floor", "No ceiling"):
        assert fact in markdown


def test_training_that_ends_below_an_untrained_network_is_marked(tmp_path: Path) -> None:
    folders = evaluations(tmp_path, METHODS, selections=("last", "datafree"))
    assert "No training ends below an untrained network" in main_table(folders, METHODS)[1]
    episodes = pd.read_parquet(folders[4] / "episodes.parquet")
    assert episodes["method"].unique() == ["bank"] and episodes["shot"].unique() == [1]
    episodes.loc[episodes["selection"] == "last", "accuracy"] -= 0.3
    episodes.to_parquet(folders[4] / "episodes.parquet", index=False)
    _, markdown, latex = main_table(folders, METHODS)
    [bank] = [line for line in markdown.splitlines() if line.startswith("| Bank")]
    assert [" u" in cell for cell in bank.split("|")[2:-1]] == [False, False, True, False, False, False]
    assert re.search(r"- u: ends below an untrained network.*: Bank\.", markdown)
    assert latex.count("\\ u$") + latex.count("\\ u\\") + latex.count("$\\ u") == 1
    summary = summary_of(folders, METHODS)
    assert re.search(r"- u: ends below.*: Bank\.", overview.table([summary]).to_markdown())


def test_seeds_are_reported_apart(tmp_path: Path) -> None:
    folders = [write_evaluation(tmp_path, "tgr", 0.5 + 0.1 * seed, seed=seed, protocols=("ncm",)) for seed in (0, 1)]
    csv, markdown, _ = main_table(folders, METHODS)
    assert csv["n_seeds"].item() == 2
    assert csv["seed_std"].item() == pytest.approx(0.1 / np.sqrt(2), abs=0.02)
    assert f"s {100 * csv['seed_std'].item():.0f}" in markdown
    assert "over 2 trainings of each method" in markdown


def test_several_datasets_get_a_block_each(tmp_path: Path) -> None:
    folders = evaluations(tmp_path, ["bank", "tgr"], datasets=("toys", "tools"), selections=("datafree",))
    _, markdown, latex = main_table(folders, METHODS)
    assert re.findall("^### (.*)$", markdown, re.M) == [
        "All datasets (episodes pooled)", "Unseen classes of tools", "Unseen classes of toys"
    ]  # fmt: skip
    assert "40 meta-test episodes for each dataset" in markdown
    assert latex.count("\\emph{") == 3


def test_selection_table_labels_the_oracle(tmp_path: Path) -> None:
    table = selection.table(summary_of(evaluations(tmp_path, METHODS, n_seeds=3), METHODS))
    markdown = table.to_markdown()
    header = next(line for line in markdown.splitlines() if line.startswith("| "))
    assert [c.split(":")[-1].strip() for c in header.split("|")[2:-1]] == [
        "last", "data-free", "meta-val", "oracle (sees meta-test)"
    ]  # fmt: skip
    assert len(table.frame) == 4 * 2 * (4 * 3 + 1)
    rows = [line.split("|")[2:-1] for line in markdown.splitlines() if ", TGR " in line]
    assert all("**" in cell for row in rows for cell in row[:3]), "TGR is the best of these methods"
    assert not any("**" in row[3] for row in rows), "the oracle is no result"


def test_reading_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    with pytest.raises(TgrError, match="no evaluations"):
        read_episodes([])
    with pytest.raises(TgrError, match=r"episodes\.parquet: missing or damaged"):
        read_episodes([tmp_path])
    folder = write_evaluation(tmp_path, "tgr", 0.5)
    other = write_evaluation(tmp_path, "bank", 0.5)
    pd.read_parquet(other / "episodes.parquet").assign(bn_mode="running").to_parquet(other / "episodes.parquet")
    with pytest.raises(TgrError, match="must share bn_mode"):
        read_episodes([folder, other])


def test_tables_name_the_statistics_of_each_protocol(tmp_path: Path) -> None:
    folders = [write_evaluation(tmp_path, name, 0.5, protocols=("ncm", "ncm_inductive")) for name in ("bank", "tgr")]
    csv, markdown, _ = main_table(folders, METHODS)
    modes = csv.groupby("protocol")["bn_mode"].unique().map(list).to_dict()
    assert modes == {"ncm": ["batch"], "ncm_inductive": ["running"]}
    assert "statistics of the batch (transductive); stored in training (inductive) in Nearest class" in markdown


@pytest.mark.parametrize(
    ("widths", "expected"), [([0.0183, 0.0192], 1), ([0.0042], 2), ([0.12, 0.13], 0), ([0.0], 1), ([], 1), ([1e-9], 3)]
)
def test_intervals_allow_so_many_decimals(widths: list[float], expected: int) -> None:
    cells = [Cell(0.56789, width) for width in widths]
    assert decimals(Block("x", [("", ["a"])], [("one", cells), ("two", ["text", None])])) == expected


def test_numbers_have_the_digits_of_their_interval() -> None:
    cell = Cell(0.56789, 0.0183, difference=-0.0004, difference_ci95=0.0149)
    block = Block("x", [("", ["a"])], [("one", [cell])])
    assert "56.8 ± 1.8 (0.0 ± 1.5)" in table_of(block).to_markdown()
    assert "$56.8 \\pm 1.8$" in table_of(block).to_latex()


def test_markup_escapes_names() -> None:
    block = Block(
        "a_b",
        [("1-shot", ["x"])],
        [
            (
                "my_method & co",
                [
                    Cell(0.5, 0.01),
                ][:1],
            ),
            ("none", [None]),
        ],
    )
    table = table_of(block, "50 % of_all", ["p < 0.05 * |"])
    latex, markdown = table.to_latex(), table.to_markdown()
    assert "my\\_method \\& co" in latex
    assert "50 \\% of\\_all" in latex
    assert "none & --" in latex
    assert "\\* \\|" in markdown
    assert escape_latex("p >= 5") == "p $\\geq$ 5"


def test_accuracy_figure(tmp_path: Path) -> None:
    summary = summary_of(evaluations(tmp_path, METHODS, selections=("meta_val",)), METHODS)
    figure = accuracy.draw(summary, headline="meta_val")
    for name in "ab":
        save(accuracy.draw(summary, headline="meta_val"), tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    assert_figure(tmp_path / "a.png", tmp_path / "a.pdf")
    assert {axes.get_xlabel() for axes in figure.axes} - {""} == {"accuracy (%)\nn = 40 episodes, 1 seed"}
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["Random", "Bank", "TGR"]
    drawn = [container[0].get_xdata().item() for container in figure.axes[2].containers]
    shown = summary[(summary["shot"] == 1) & (summary["protocol"] == "ncm") & (summary["role"] == "method")]
    assert drawn == pytest.approx(list(100 * shown["mean"]))
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_many_networks_are_a_line_where_they_were_evaluated(tmp_path: Path) -> None:
    folders = evaluations(tmp_path, ["bank", "tgr"], selections=("last",))
    folders.append(write_evaluation(tmp_path, "ensemble", 0.9, protocols=("ncm",)))
    summary = summary_of(folders, METHODS | {"ensemble": "Ensemble"})
    figure = accuracy.draw(summary, headline="last")
    assert "ensemble, many networks" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["Bank", "TGR"]
    mean = 100 * summary.loc[(summary["method"] == "ensemble") & (summary["selection"] == "last"), "mean"].iloc[0]
    lines = [[line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "-."] for axes in figure.axes[:3]]
    assert lines == [[], [], [pytest.approx(mean)]]


def test_figures_look_the_same_whatever_the_settings_of_matplotlib(tmp_path: Path) -> None:
    summary = summary_of(evaluations(tmp_path, ["bank"], selections=("last",)), METHODS)
    save(accuracy.draw(summary, headline="last"), tmp_path / "a.png")
    with rc_context({"font.size": 20, "xtick.labelsize": 20, "axes.grid": True}):
        save(accuracy.draw(summary, headline="last"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_looks_give_colours(tmp_path: Path) -> None:
    summary = summary_of(evaluations(tmp_path, ["bank"], selections=("last",)), METHODS)
    figure = accuracy.draw(summary, headline="last", looks={"bank": {"colour": "#123456"}})
    assert figure.axes[0].containers[0][0].get_color() == "#123456"
    with pytest.raises(TgrError, match="no evaluation used the selection rule oracle"):
        accuracy.draw(summary, headline="oracle")


@pytest.mark.parametrize("methods", [["bank"], ["pixels"], ["pixels", "realdata"]])
def test_accuracy_figure_of_few_methods(tmp_path: Path, methods: list[str]) -> None:
    summary = summary_of(evaluations(tmp_path, methods, selections=("last",)), METHODS)
    save(accuracy.draw(summary, headline="last"), tmp_path / "a.png", tmp_path / "a.pdf")
    assert_figure(tmp_path / "a.png", tmp_path / "a.pdf")


def test_each_seed_of_several_has_a_mark(tmp_path: Path) -> None:
    folders = [write_evaluation(tmp_path, "tgr", 0.4 + 0.1 * seed, seed=seed, protocols=("ncm",)) for seed in range(3)]
    episodes = read_episodes(folders)
    figure = accuracy.draw(summary_of(folders, METHODS), seed_means(episodes), headline="meta_val")
    ticks = [line for line in figure.axes[0].lines if line.get_marker() == "|" and len(line.get_xdata()) == 3]
    chosen = episodes[episodes["selection"] == "meta_val"]
    expected = [100 * chosen.loc[chosen["seed"] == seed, "accuracy"].mean() for seed in range(3)]
    assert [list(line.get_xdata()) for line in ticks] == [pytest.approx(expected)]
    assert "mean of one seed" in [text.get_text() for text in figure.legends[0].get_texts()]
    save(figure, tmp_path / "a.png", tmp_path / "a.pdf")


def test_sweep_figure(tmp_path: Path) -> None:
    summary = summary_of(evaluations(tmp_path, ["bank", "tgr"], selections=("last",)), METHODS)
    frame = pd.concat([summary.assign(value=value) for value in (10, 20)], ignore_index=True)
    figure = sweep.draw(frame, label="teachers in the pool")
    save(figure, tmp_path / "s.png", tmp_path / "s.pdf")
    assert_figure(tmp_path / "s.png", tmp_path / "s.pdf")
    assert len(figure.axes) == 6 and figure.axes[0].get_ylabel() == "accuracy (%, n = 40 tasks)"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Bank", "TGR"]
    assert all(list(line.get_xdata()) == [10, 20] for line in figure.axes[0].lines)


def test_budget_figure(tmp_path: Path) -> None:
    rows = [
        {"line": line, "method": f"{line}.{steps}", "shot": 5, "protocol": "ncm", "split": "meta_val", "steps": steps,
         "image_passes": factor * steps, "mean": mean, "low": mean - 0.01, "high": mean + 0.01, "n_seeds": 5}
        for line, factor in (("bank", 128), ("TGR, plain", 400))
        for steps, mean in ((300, 0.5), (500, 0.55), (2000, 0.6))
    ]  # fmt: skip
    looks = {"bank": {"label": "Bank", "colour": "#E69F00", "marker": "s"}}
    figure = budget.draw(pd.DataFrame(rows), looks=looks)
    save(figure, tmp_path / "b.png", tmp_path / "b.pdf")
    assert_figure(tmp_path / "b.png", tmp_path / "b.pdf")
    images, steps = figure.axes
    assert [list(line.get_xdata()) for line in images.lines] == [[38.4, 64, 256], [120, 200, 800]]
    assert all(list(line.get_xdata()) == [300, 500, 2000] for line in steps.lines)
    assert list(steps.lines[0].get_ydata()) == pytest.approx([50, 55, 60])
    assert images.get_ylabel() == "meta-val accuracy (%, n = 5 seeds)"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Bank", "TGR, plain"]
    assert images.lines[0].get_color() == "#E69F00" != images.lines[1].get_color()


def write_curves(root: Path, method: str, rows: list[tuple[int, str, str, float]], seed: int = 0) -> Path:
    folder = root / method / "shot-any" / f"seed-{seed}"
    folder.mkdir(parents=True)
    write_json(folder / "model.json", {"scenario": "toys", "method": method, "shot": "any", "seed": seed})
    frame = pd.DataFrame(rows, columns=["step", "phase", "name", "value"])
    frame.astype({"step": "int64", "value": "float64"}).to_parquet(folder / "curves.parquet", index=False)
    return folder


def test_curves_figure(tmp_path: Path) -> None:
    group = [(s, "group", n, 1 / s) for s in range(1, 9) for n in ("loss", "gradient_variance", "gradient_cosine")]
    replay = [(s, "replay", "loss", 2 / s) for s in (2, 3, 9, 10)]
    folders = [write_curves(tmp_path, "tgr", group + replay, seed) for seed in (0, 1)]
    folders.append(write_curves(tmp_path, "random", []))
    frame = read_curves(folders)
    assert sorted(frame.loc[frame["phase"] == "replay", "step"].unique()) == [2, 3, 9, 10]
    figure = curves.draw(frame)
    save(figure, tmp_path / "c.png", tmp_path / "c.pdf")
    assert_figure(tmp_path / "c.png", tmp_path / "c.pdf")
    assert len(figure.axes) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["TGR: group steps", "TGR: replayed episodes"]
    assert figure.axes[0].get_xlabel() == "step (n = 2 seeds)"


def test_long_curves_are_averaged_over_stretches_and_seeds() -> None:
    steps = np.arange(1, 601)
    rows = {"method": "tgr", "phase": "group", "shot": "any", "name": "loss"}
    frame = pd.concat([pd.DataFrame({"step": steps, "seed": s, "value": 1.0 + s}).assign(**rows) for s in (0, 1)])
    [line] = [line for line in curves.draw(frame).axes[0].lines if len(line.get_xdata())]
    assert len(line.get_xdata()) == curves.POINTS
    assert np.allclose(line.get_ydata(), 1.5)


def test_curves_figure_without_curves_says_so(tmp_path: Path) -> None:
    figure = curves.draw(read_curves([write_curves(tmp_path, "random", [])]))
    save(figure, tmp_path / "c.png", tmp_path / "c.pdf")
    assert_figure(tmp_path / "c.png", tmp_path / "c.pdf")
    assert [text.get_text() for text in figure.texts] == [curves.EMPTY]


def test_recovered_figure(tmp_path: Path) -> None:
    shards, files = [], {}
    for name in ("toys", "tools"):
        dataset = make_dataset(name)
        files[name] = tmp_path / f"{name}.safetensors"
        dataset.save(files[name])
        shards.append(write_shard(tmp_path, f"{name}-conv4", dataset))
    teachers, recovered = [t for t, _ in shards], [r for _, r in shards]
    loaded = load_recovered(recovered, teachers)
    keys = [one.card.key for one in pick_teachers(loaded, 3)]
    assert keys == ["toys-conv4/teacher-0000", "toys-conv4/teacher-0001", "tools-conv4/teacher-0000"]
    assert len(pick_teachers(loaded, 1)) == 2, "one of each pool at least"
    students = [{"name": "teacher-0000", "student_accuracy": 0.4}]
    write_json(tmp_path / "t.json", {"pool": "toys-conv4", "teachers": students})
    inputs = {"recovered": recovered, "teachers": teachers, "transfers": [tmp_path / "t.json"], "n_teachers": 3}
    inputs |= {"images_per_class": 2, "examples": tmp_path / "e.safetensors"}
    pick_examples(**inputs, datasets=list(files.values()))
    examples = Examples.load(tmp_path / "e.safetensors")
    assert [one.student for one in examples] == [0.4, None, None]
    assert all(len(images) == 2 for one in examples for images in (*one.recovered.values(), *one.real.values()))
    assert np.array_equal(examples[0].recovered[1], loaded[0].images[loaded[0].labels == 1][:2].numpy())
    figure = recovered_figure.draw(examples, venue="neurips")
    save(figure, tmp_path / "r.png", tmp_path / "r.pdf")
    assert_figure(tmp_path / "r.png", tmp_path / "r.pdf")
    assert sum("real, unseen by" in text.get_text() for text in figure.texts) == 3
    with pytest.raises(TgrError, match="its dataset tools is not among"):
        pick_examples(**inputs, datasets=[files["toys"]])


def test_models_from_elsewhere_have_no_real_images_to_show(tmp_path: Path) -> None:
    images = np.zeros((2, 3, 8, 8), np.uint8)
    example = Example("mine", "teacher-0000", "conv4", 9, "pixel", 0.5, None, ["a", "b"], {0: images, 1: images}, {})
    figure = recovered_figure.draw(Examples([example]))
    assert len(figure.axes) == 2
    assert recovered_figure.NO_REAL in [text.get_text() for text in figure.texts]


def test_dollars_in_the_names_of_classes_are_dollars(tmp_path: Path) -> None:
    """Between two of them matplotlib sees a formula, and fails if it is none."""
    images = np.zeros((2, 3, 8, 8), np.uint8)
    names = ["5$ and 10$", "$x^$"]
    example = Example("mine", "teacher-0000", "conv4", 2, "pixel", 0.5, None, names, {0: images, 1: images}, {})
    figure = recovered_figure.draw(Examples([example]))
    save(figure, tmp_path / "r.png")
    assert {text.get_text() for text in figure.texts if not text.get_parse_math()} >= {*names}


@pytest.mark.parametrize(
    ("place", "text", "size", "message"),
    [(0.3, "over the first", 7, "overlap"), (0.99, "beyond the edge", 7, "cut off"), (0.1, "tiny", 4, "too small")],
)
def test_illegible_figures_are_found(place: float, text: str, size: int, message: str) -> None:
    with style():
        figure = Figure((3, 1))
        figure.text(0.3, 0.5, "the first text", fontsize=7)
        assert_legible(figure)
        figure.text(place, 0.5, text, fontsize=size)
        with pytest.raises(AssertionError, match=message):
            assert_legible(figure)


def test_figures_of_many_methods_are_legible_at_the_narrowest_venue(tmp_path: Path) -> None:
    venue = min(WIDTHS, key=lambda name: WIDTHS[name][1])
    names = {name: name for name in Methods.model_fields}
    folders = [
        write_evaluation(tmp_path, name, 0.3 + 0.04 * i, shot=shot, datasets=("toys", "a-long-name"), n_episodes=5)
        for i, name in enumerate(names)
        for shot in (1, 5)
    ]
    figure = accuracy.draw(summary_of(folders, names), headline="meta_val", venue=venue)
    save(figure, tmp_path / "a.png")
    quantities = ("loss", "gradient_variance", "gradient_cosine")
    rows = [(s, phase, q, 1 / s) for phase in ("group", "replay") for s in range(1, 9) for q in quantities]
    models = [write_curves(tmp_path, name, rows) for name in names]
    save(curves.draw(read_curves(models), venue=venue), tmp_path / "c.png")


def test_methods_without_a_colour_and_a_marker_get_one_that_is_free() -> None:
    names = [*Methods.model_fields, "mine", "yours"]
    assert len(set(method_markers(names).values())) == len(names)
    colours = method_colours([*METHODS, "mine", "yours"])
    assert len(set(colours.values())) == 7


def test_captions_say_what_they_must() -> None:
    folder = Path(__file__).parents[2] / "workflow" / "report"
    for name in ("accuracy", "main_table", "selection_table"):
        text = " ".join((folder / f"{name}.rst").read_text().split()).lower()
        for word in ("95 % confidence interval", "episodes", "selection rule", "real images"):
            assert word in text, (name, word)
    assert "the method never sees them" in " ".join((folder / "recovered.rst").read_text().split())
