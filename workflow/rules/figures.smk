"""Figures: drawn from what the rules of `analysis.smk` measured."""


rule plot_accuracy:
    """Draw the accuracy of every method."""
    input:
        summary=SUMMARY,
        seeds="results/analysis/{scenario}/seeds.parquet",
        code=code("report.py", "tgr.reporting.figures.accuracy"),
    output:
        **figure_files("{scenario}/accuracy", "accuracy"),
    log:
        "results/logs/plot_accuracy/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_accuracy/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.accuracy",
        headline=parameter("headline"),
        looks=parameter("looks/{scenario}"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_cost:
    """Draw accuracy against cost."""
    input:
        cost="results/analysis/{scenario}/cost.csv",
        code=code("report.py", "tgr.reporting.figures.cost"),
    output:
        **figure_files("{scenario}/cost", "cost"),
    log:
        "results/logs/plot_cost/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_cost/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.cost",
        looks=parameter("looks/{scenario}"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_curves:
    """Draw loss and gradient conflict over training."""
    input:
        curves="results/analysis/{scenario}/curves.parquet",
        code=code("report.py", "tgr.reporting.figures.curves"),
    output:
        **figure_files("{scenario}/curves", "curves"),
    log:
        "results/logs/plot_curves/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_curves/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.curves",
        looks=parameter("looks/{scenario}"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_selection:
    """Draw what selection rules gain, beside what chance does."""
    input:
        gains="results/analysis/{scenario}/selection-gains.csv",
        inflation="results/analysis/{scenario}/selection-inflation.csv",
        code=code("report.py", "tgr.reporting.figures.selection"),
    output:
        **figure_files("{scenario}/selection", "selection"),
    log:
        "results/logs/plot_selection/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_selection/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.selection",
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_recovered:
    """Draw recovered images above real ones."""
    input:
        examples="results/analysis/{scenario}/examples.safetensors",
        code=code("report.py", "tgr.reporting.figures.recovered"),
    output:
        **figure_files("{scenario}/recovered", "recovered"),
    log:
        "results/logs/plot_recovered/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_recovered/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.recovered",
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_dissimilarity:
    """Draw the dissimilarity of all pairs of teachers, by task group."""
    input:
        dissimilarity="results/analysis/{scenario}/dissimilarity.parquet",
        task_map="results/analysis/{scenario}/task-map.csv",
        quality="results/analysis/{scenario}/groups.json",
        code=code("report.py", "tgr.reporting.figures.dissimilarity"),
    output:
        **figure_files("{scenario}/dissimilarity", "dissimilarity"),
    log:
        "results/logs/plot_dissimilarity/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_dissimilarity/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.dissimilarity",
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_task_map:
    """Draw the task space on a plane."""
    input:
        task_map="results/analysis/{scenario}/task-map.csv",
        quality="results/analysis/{scenario}/groups.json",
        code=code("report.py", "tgr.reporting.figures.task_map"),
    output:
        **figure_files("{scenario}/task-map", "task_map"),
    log:
        "results/logs/plot_task_map/{scenario}.log",
    benchmark:
        "results/benchmarks/plot_task_map/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.task_map",
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_ablation:
    """Draw an ablation: lines over a numeric parameter, or a row for each variant."""
    input:
        ablation="results/analysis/{scenario}/ablation-{ablation}.csv",
        code=code("report.py", "tgr.reporting.figures.ablation"),
    output:
        **figure_files("{scenario}/ablation-{ablation}", "ablation", item="ablation {ablation}"),
    log:
        "results/logs/plot_ablation/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/plot_ablation/{scenario}/{ablation}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.ablation",
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_conflict:
    """Draw the gradient conflict of an ablation's variants over their training."""
    input:
        conflict="results/analysis/{scenario}/ablation-{ablation}-conflict.parquet",
        code=code("report.py", "tgr.reporting.figures.conflict"),
    output:
        **figure_files("{scenario}/conflict-{ablation}", "conflict", item="conflict {ablation}"),
    log:
        "results/logs/plot_conflict/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/plot_conflict/{scenario}/{ablation}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.conflict",
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_pairs:
    """Draw what second teachers add, by common classes and by architecture."""
    input:
        pairs="results/analysis/pairs/{pairs}.parquet",
        code=code("report.py", "tgr.reporting.figures.pairs"),
    output:
        **figure_files("pairs/{pairs}", "pairs", "analysis", "pairs {pairs}"),
    log:
        "results/logs/plot_pairs/{pairs}.log",
    benchmark:
        "results/benchmarks/plot_pairs/{pairs}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.pairs",
        base=parameter("pairs/{pairs}/base"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_sweep:
    """Draw how methods fare as something varies between scenarios."""
    input:
        sweep="results/tables/sweeps/{sweep}.csv",
        code=code("report.py", "tgr.reporting.figures.sweep"),
    output:
        **figure_files("sweeps/{sweep}", "sweep", "analysis", "sweep {sweep}"),
    log:
        "results/logs/plot_sweep/{sweep}.log",
    benchmark:
        "results/benchmarks/plot_sweep/{sweep}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.sweep",
        label=parameter("sweep/{sweep}/label"),
        looks=parameter("sweep/{sweep}/looks"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_budget:
    """Draw accuracy against the steps of training and the images that they saw."""
    input:
        budget="results/tables/budgets/{budget}.csv",
        code=code("report.py", "tgr.reporting.figures.budget"),
    output:
        **figure_files("budgets/{budget}", "budget", "analysis", "budget {budget}"),
    log:
        "results/logs/plot_budget/{budget}.log",
    benchmark:
        "results/benchmarks/plot_budget/{budget}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.budget",
        looks=parameter("budget/{budget}/looks"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_contrasts:
    """Draw the intervals of all claims of some contrasts, one below the other."""
    input:
        contrasts="results/tables/contrasts/{contrasts}.csv",
        code=code("report.py", "tgr.reporting.figures.contrasts"),
    output:
        **figure_files("contrasts/{contrasts}", "contrasts", "analysis", "contrasts {contrasts}"),
    log:
        "results/logs/plot_contrasts/{contrasts}.log",
    benchmark:
        "results/benchmarks/plot_contrasts/{contrasts}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.contrasts",
        margin=parameter("contrasts/{contrasts}/margin"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"


rule plot_theory:
    """Draw the error of the displaced gradient over its strength, and what regularised steps do."""
    input:
        errors="results/analysis/theory-errors.csv",
        descents="results/analysis/theory-descents.csv",
        code=code("report.py", "tgr.reporting.figures.theory"),
    output:
        **figure_files("theory", "theory", "all scenarios"),
    log:
        "results/logs/plot_theory/all.log",
    benchmark:
        "results/benchmarks/plot_theory/all.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="figures.theory",
        venue=parameter("figures/venue"),
    script:
        "../scripts/report.py"
