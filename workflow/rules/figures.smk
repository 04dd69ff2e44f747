"""Figures: drawn from what the rules of `analysis.smk` measured."""


rule plot_accuracy:
    """Draw the accuracy of every method."""
    input:
        evaluations=all_evaluations,
        code=code("plot_accuracy.py"),
    output:
        png=report_item("results/figures/{scenario}/accuracy.png", "accuracy"),
        pdf="results/figures/{scenario}/accuracy.pdf",
    log:
        "results/logs/plot_accuracy/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_accuracy/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        methods=parameter("methods/{scenario}"),
        headline=parameter("headline"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_accuracy.py"


rule plot_dissimilarity:
    """Draw the dissimilarity of all pairs of teachers, by task group."""
    input:
        dissimilarity=shown_dissimilarity,
        groups=shown_groups,
        quality="results/analysis/{scenario}/groups.json",
        code=code("plot_dissimilarity.py"),
    output:
        png=report_item("results/figures/{scenario}/dissimilarity.png", "dissimilarity"),
        pdf="results/figures/{scenario}/dissimilarity.pdf",
    log:
        "results/logs/plot_dissimilarity/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_dissimilarity/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_dissimilarity.py"


rule plot_recovered:
    """Draw recovered images above real ones."""
    input:
        teachers=all_shards(TEACHERS),
        recovered=all_shards(RECOVERED),
        transfers=scenario_transfers,
        datasets=teacher_datasets,
        code=code("plot_recovered.py"),
    output:
        png=report_item("results/figures/{scenario}/recovered.png", "recovered"),
        pdf="results/figures/{scenario}/recovered.pdf",
    log:
        "results/logs/plot_recovered/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_recovered/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        figures=parameter("figures"),
    script:
        "../scripts/plot_recovered.py"


rule plot_curves:
    """Draw loss and gradient conflict over training."""
    input:
        models=all_models,
        code=code("plot_curves.py"),
    output:
        png=report_item("results/figures/{scenario}/curves.png", "curves"),
        pdf="results/figures/{scenario}/curves.pdf",
    log:
        "results/logs/plot_curves/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_curves/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        methods=parameter("methods/{scenario}"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_curves.py"


rule plot_ablation:
    """Draw an ablation: lines over a numeric parameter, or a row for each variant."""
    input:
        table="results/analysis/{scenario}/ablation-{ablation}.csv",
        code=code("plot_ablation.py"),
    output:
        png=report_item("results/figures/{scenario}/ablation-{ablation}.png", "ablation", item="ablation {ablation}"),
        pdf="results/figures/{scenario}/ablation-{ablation}.pdf",
    log:
        "results/logs/plot_ablation/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/plot_ablation/{scenario}/{ablation}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_ablation.py"


rule plot_conflict:
    """Draw the gradient conflict of an ablation's variants over their training."""
    input:
        conflict="results/analysis/{scenario}/ablation-{ablation}-conflict.parquet",
        code=code("plot_conflict.py"),
    output:
        png=report_item("results/figures/{scenario}/conflict-{ablation}.png", "conflict", item="conflict {ablation}"),
        pdf="results/figures/{scenario}/conflict-{ablation}.pdf",
    log:
        "results/logs/plot_conflict/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/plot_conflict/{scenario}/{ablation}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_conflict.py"


rule plot_selection:
    """Draw what selection rules gain, beside what chance does."""
    input:
        gains="results/analysis/{scenario}/selection-gains.csv",
        inflation="results/analysis/{scenario}/selection-inflation.csv",
        code=code("plot_selection.py"),
    output:
        png=report_item("results/figures/{scenario}/selection.png", "selection"),
        pdf="results/figures/{scenario}/selection.pdf",
    log:
        "results/logs/plot_selection/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_selection/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_selection.py"


rule plot_task_map:
    """Draw the task space on a plane."""
    input:
        map="results/analysis/{scenario}/task-map.csv",
        quality="results/analysis/{scenario}/groups.json",
        code=code("plot_task_map.py"),
    output:
        png=report_item("results/figures/{scenario}/task-map.png", "task_map"),
        pdf="results/figures/{scenario}/task-map.pdf",
    log:
        "results/logs/plot_task_map/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_task_map/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_task_map.py"


rule plot_cost:
    """Draw accuracy against cost."""
    input:
        cost="results/analysis/{scenario}/cost.csv",
        code=code("plot_cost.py"),
    output:
        png=report_item("results/figures/{scenario}/cost.png", "cost"),
        pdf="results/figures/{scenario}/cost.pdf",
    log:
        "results/logs/plot_cost/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_cost/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_cost.py"


rule plot_theory:
    """Draw the error of the displaced gradient over its strength, and what regularised steps do."""
    input:
        errors="results/analysis/theory-errors.csv",
        descents="results/analysis/theory-descents.csv",
        code=code("plot_theory.py"),
    output:
        png=report_item("results/figures/theory.png", "theory", "all scenarios"),
        pdf="results/figures/theory.pdf",
    log:
        "results/logs/plot_theory/all.log",
    benchmark:
        "results/benchmarks/plot_theory/all.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_theory.py"


rule plot_pairs:
    """Draw what second teachers add, by common classes and by architecture."""
    input:
        draws=pairs_draws,
        code=code("plot_pairs.py"),
    output:
        png=report_item("results/figures/pairs/{pairs}.png", "pairs", "analysis", "pairs {pairs}"),
        pdf="results/figures/pairs/{pairs}.pdf",
        csv="results/tables/pairs/{pairs}.csv",
    log:
        "results/logs/plot_pairs/{pairs}.log",
    benchmark:
        "results/benchmarks/plot_pairs/{pairs}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        base=parameter("pairs/{pairs}/base"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_pairs.py"


rule plot_sweep:
    """Draw how methods fare as something varies between scenarios."""
    input:
        sweep="results/tables/sweeps/{sweep}.csv",
        code=code("plot_sweep.py"),
    output:
        png=report_item("results/figures/sweeps/{sweep}.png", "sweep", "analysis", "sweep {sweep}"),
        pdf="results/figures/sweeps/{sweep}.pdf",
    log:
        "results/logs/plot_sweep/{sweep}.log",
    benchmark:
        "results/benchmarks/plot_sweep/{sweep}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        methods=parameter("sweep/{sweep}/methods"),
        label=parameter("sweep/{sweep}/label"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_sweep.py"
