"""Figures whose numbers are computed once and kept, so that drawing them anew computes nothing."""


rule measure_theory:
    """Compare the displaced gradient with the exact one, and descend it, on small problems in float64."""
    input:
        code=code("measure_theory.py"),
    output:
        errors="results/analysis/theory-errors.csv",
        descents="results/analysis/theory-descents.csv",
    log:
        "results/logs/measure_theory/all.log",
    benchmark:
        "results/benchmarks/measure_theory/all.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    script:
        "../scripts/measure_theory.py"


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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_theory.py"


rule summarise_ablation:
    """Gather accuracy, over-fitting and gradient conflict of the variants of an ablation."""
    input:
        evaluations=for_job(needed.ablation_evaluations),
        models=for_job(needed.ablation_models),
        code=code("summarise_ablation.py"),
    output:
        table="results/analysis/{scenario}/ablation-{ablation}.csv",
        conflict="results/analysis/{scenario}/ablation-{ablation}-conflict.parquet",
    log:
        "results/logs/summarise_ablation/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/summarise_ablation/{scenario}/{ablation}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        ablation=parameter("ablation/{ablation}"),
        headline=parameter("headline"),
    script:
        "../scripts/summarise_ablation.py"


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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_conflict.py"


rule analyse_selection:
    """Measure what each selection rule gains, and what the best of many evaluations would gain by chance."""
    input:
        evaluations=for_job(needed.main_evaluations),
        code=code("analyse_selection.py"),
    output:
        gains="results/analysis/{scenario}/selection-gains.csv",
        inflation="results/analysis/{scenario}/selection-inflation.csv",
    log:
        "results/logs/analyse_selection/{scenario}.log",
    benchmark:
        "results/benchmarks/analyse_selection/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods/{scenario}"),
    script:
        "../scripts/analyse_selection.py"


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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_selection.py"


rule map_task_space:
    """Place the teachers on a plane, and compare their groups with random ones."""
    input:
        dissimilarity=for_job(needed.shown_dissimilarity),
        groups=for_job(needed.shown_groups),
        teachers=for_job(needed.teachers),
        code=code("map_task_space.py"),
    output:
        map="results/analysis/{scenario}/task-map.csv",
        quality="results/analysis/{scenario}/groups.json",
    log:
        "results/logs/map_task_space/{scenario}.log",
    benchmark:
        "results/benchmarks/map_task_space/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    script:
        "../scripts/map_task_space.py"


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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_task_map.py"


rule measure_cost:
    """Set the accuracy of each method beside the thread-seconds of all that it needs."""
    input:
        evaluations=for_job(needed.main_evaluations),
        models=for_job(needed.main_models),
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.recovered),
        task_space=for_job(needed.shown_task_space),
        code=code("measure_cost.py"),
    output:
        cost="results/analysis/{scenario}/cost.csv",
    log:
        "results/logs/measure_cost/{scenario}.log",
    benchmark:
        "results/benchmarks/measure_cost/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods/{scenario}"),
        needs=parameter("needs/{scenario}"),
        headline=parameter("headline"),
    script:
        "../scripts/measure_cost.py"


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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_cost.py"
