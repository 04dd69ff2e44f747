"""What tables, figures and pages show, measured once: nothing that follows reads episodes, models or pools again."""


rule summarise:
    """Summarise the accuracies of a scenario: what tables, figures and pages show of them."""
    input:
        evaluations=all_evaluations,
        code=code("summarise.py"),
    output:
        summary=SUMMARY,
    log:
        "results/logs/summarise/{scenario}.log",
    benchmark:
        "results/benchmarks/summarise/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        methods=parameter("methods/{scenario}"),
    script:
        "../scripts/summarise.py"


rule summarise_ablation:
    """Gather accuracy, over-fitting and gradient conflict of the variants of an ablation."""
    input:
        evaluations=ablation_evaluations,
        models=ablation_models,
        code=code("summarise_ablation.py"),
    output:
        accuracies="results/analysis/{scenario}/ablation-{ablation}-accuracies.csv",
        ablation="results/analysis/{scenario}/ablation-{ablation}.csv",
        conflict="results/analysis/{scenario}/ablation-{ablation}-conflict.parquet",
    log:
        "results/logs/summarise_ablation/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/summarise_ablation/{scenario}/{ablation}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        variants=parameter("ablation/{ablation}/variants"),
        headline=parameter("headline"),
    script:
        "../scripts/summarise_ablation.py"


rule measure_selection:
    """Measure what each selection rule gains, and what the best of many evaluations would gain by chance."""
    input:
        evaluations=all_evaluations,
        code=code("measure_selection.py"),
    output:
        gains="results/analysis/{scenario}/selection-gains.csv",
        inflation="results/analysis/{scenario}/selection-inflation.csv",
    log:
        "results/logs/measure_selection/{scenario}.log",
    benchmark:
        "results/benchmarks/measure_selection/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        methods=parameter("methods/{scenario}"),
    script:
        "../scripts/measure_selection.py"


rule measure_pools:
    """Measure teachers and recovered images of each pool, and count how often its teachers serve."""
    input:
        teachers=all_shards(TEACHERS),
        recovered=all_shards(RECOVERED),
        transfers=scenario_transfers,
        models=all_models,
        code=code("measure_pools.py"),
    output:
        pools="results/analysis/{scenario}/pools.parquet",
    log:
        "results/logs/measure_pools/{scenario}.log",
    benchmark:
        "results/benchmarks/measure_pools/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    script:
        "../scripts/measure_pools.py"


rule measure_cost:
    """Add the seconds of each stage, and set each method's accuracy beside those of all that it needs."""
    input:
        summary=SUMMARY,
        models=all_models,
        teachers=all_shards(TEACHERS),
        recovered=all_shards(RECOVERED),
        embeddings=all_shards(EMBEDDINGS),
        task_space=shown_task_space,
        code=code("measure_cost.py"),
    output:
        cost="results/analysis/{scenario}/cost.csv",
        stages="results/analysis/{scenario}/cost-stages.parquet",
    log:
        "results/logs/measure_cost/{scenario}.log",
    benchmark:
        "results/benchmarks/measure_cost/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        needs=parameter("needs/{scenario}"),
        headline=parameter("headline"),
    script:
        "../scripts/measure_cost.py"


rule map_task_space:
    """Place the teachers on a plane, and compare their groups with random ones."""
    input:
        dissimilarity=shown_dissimilarity,
        groups=shown_groups,
        teachers=all_shards(TEACHERS),
        code=code("map_task_space.py"),
    output:
        task_map="results/analysis/{scenario}/task-map.csv",
        quality="results/analysis/{scenario}/groups.json",
        matrix="results/analysis/{scenario}/dissimilarity.parquet",
    log:
        "results/logs/map_task_space/{scenario}.log",
    benchmark:
        "results/benchmarks/map_task_space/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    script:
        "../scripts/map_task_space.py"


rule gather_curves:
    """Gather the training curves of a scenario's main methods."""
    input:
        models=all_models,
        code=code("gather_curves.py"),
    output:
        curves="results/analysis/{scenario}/curves.parquet",
    log:
        "results/logs/gather_curves/{scenario}.log",
    benchmark:
        "results/benchmarks/gather_curves/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    script:
        "../scripts/gather_curves.py"


rule gather_sweep:
    """Gather the accuracies of methods in scenarios between which something varies."""
    input:
        summaries=swept_summaries,
        code=code("gather_sweep.py"),
    output:
        sweep="results/tables/sweeps/{sweep}.csv",
    log:
        "results/logs/gather_sweep/{sweep}.log",
    benchmark:
        "results/benchmarks/gather_sweep/{sweep}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        scenarios=parameter("sweep/{sweep}/scenarios"),
        methods=parameter("sweep/{sweep}/methods"),
        headline=parameter("headline"),
    script:
        "../scripts/gather_sweep.py"


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
    resources:
        **BRIEF,
    script:
        "../scripts/measure_theory.py"


rule measure_pairs:
    """Measure what second teachers add to a base teacher, for one draw of its classes."""
    input:
        dataset=pairs_inputs(DATASET),
        episodes=pairs_inputs(EPISODES),
        weights=pairs_probe_weights,
        code=pairs_code,
    output:
        rows=PAIRS,
    log:
        "results/logs/measure_pairs/{pairs}/draw-{draw}.log",
    benchmark:
        "results/benchmarks/measure_pairs/{pairs}/draw-{draw}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        pairs=parameter("pairs/{pairs}"),
        device=parameter("device"),
    script:
        "../scripts/measure_pairs.py"
