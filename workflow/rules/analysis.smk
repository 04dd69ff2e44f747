"""What tables, figures and pages show, measured once: what follows reads no episodes, models or pools."""


rule summarise:
    """Summarise the accuracies of a scenario: what tables, figures and pages show of them."""
    input:
        evaluations=for_job(needed.main_evaluations),
        code=code("summarise.py"),
    output:
        summary=SUMMARY,
        seeds="results/analysis/{scenario}/seeds.parquet",
    log:
        "results/logs/summarise/{scenario}.log",
    benchmark:
        "results/benchmarks/summarise/{scenario}.tsv"
    group:
        "report"
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
        evaluations=for_job(needed.ablation_evaluations),
        models=for_job(needed.ablation_models),
        code=code("summarise_ablation.py"),
    output:
        accuracies="results/analysis/{scenario}/ablation-{ablation}-accuracies.csv",
        ablation="results/analysis/{scenario}/ablation-{ablation}.csv",
        conflict="results/analysis/{scenario}/ablation-{ablation}-conflict.parquet",
        seeds="results/analysis/{scenario}/ablation-{ablation}-seeds.parquet",
    log:
        "results/logs/summarise_ablation/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/summarise_ablation/{scenario}/{ablation}.tsv"
    group:
        "report"
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
        evaluations=for_job(needed.main_evaluations),
        code=code("measure_selection.py"),
    output:
        gains="results/analysis/{scenario}/selection-gains.csv",
        inflation="results/analysis/{scenario}/selection-inflation.csv",
    log:
        "results/logs/measure_selection/{scenario}.log",
    benchmark:
        "results/benchmarks/measure_selection/{scenario}.tsv"
    group:
        "report"
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
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.recovered),
        transfers=for_job(needed.transfers),
        models=for_job(needed.main_models),
        code=code("measure_pools.py"),
    output:
        pools="results/analysis/{scenario}/pools.parquet",
    log:
        "results/logs/measure_pools/{scenario}.log",
    benchmark:
        "results/benchmarks/measure_pools/{scenario}.tsv"
    group:
        "report"
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
        models=for_job(needed.main_models),
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.recovered),
        embeddings=for_job(needed.embeddings),
        judgements=for_job(needed.main_judgements),
        task_space=for_job(needed.shown_task_space),
        code=code("measure_cost.py"),
    output:
        cost="results/analysis/{scenario}/cost.csv",
        stages="results/analysis/{scenario}/cost-stages.parquet",
    log:
        "results/logs/measure_cost/{scenario}.log",
    benchmark:
        "results/benchmarks/measure_cost/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        needs=parameter("needs/{scenario}"),
        planned=lambda wildcards: estimates.training_seconds(wildcards.scenario),
        headline=parameter("headline"),
    script:
        "../scripts/measure_cost.py"


rule map_task_space:
    """Place the teachers on a plane, and compare their groups with random ones."""
    input:
        dissimilarity=for_job(needed.shown_dissimilarity),
        groups=for_job(needed.shown_groups),
        teachers=for_job(needed.teachers),
        code=code("map_task_space.py"),
    output:
        task_map="results/analysis/{scenario}/task-map.csv",
        quality="results/analysis/{scenario}/groups.json",
        matrix="results/analysis/{scenario}/dissimilarity.parquet",
    log:
        "results/logs/map_task_space/{scenario}.log",
    benchmark:
        "results/benchmarks/map_task_space/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    script:
        "../scripts/map_task_space.py"


rule gather_curves:
    """Gather the training curves of a scenario's main methods."""
    input:
        models=for_job(needed.main_models),
        code=code("gather_curves.py"),
    output:
        curves="results/analysis/{scenario}/curves.parquet",
    log:
        "results/logs/gather_curves/{scenario}.log",
    benchmark:
        "results/benchmarks/gather_curves/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    script:
        "../scripts/gather_curves.py"


rule pick_examples:
    """Pick recovered images of a few teachers, and real images of their classes."""
    input:
        recovered=for_job(needed.recovered),
        teachers=for_job(needed.teachers),
        transfers=for_job(needed.transfers),
        datasets=for_job(needed.teacher_datasets),
        code=code("pick_examples.py"),
    output:
        examples="results/analysis/{scenario}/examples.safetensors",
    log:
        "results/logs/pick_examples/{scenario}.log",
    benchmark:
        "results/benchmarks/pick_examples/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        n_teachers=parameter("figures/n_teachers"),
        images_per_class=parameter("figures/images_per_class"),
    script:
        "../scripts/pick_examples.py"


rule gather_sweep:
    """Gather the accuracies of methods in scenarios between which something varies."""
    input:
        summaries=for_job(needed.sweep_summaries),
        code=code("gather_sweep.py"),
    output:
        sweep="results/tables/sweeps/{sweep}.csv",
    log:
        "results/logs/gather_sweep/{sweep}.log",
    benchmark:
        "results/benchmarks/gather_sweep/{sweep}.tsv"
    group:
        "report"
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


rule gather_budget:
    """Gather what trainings of growing length took and reached."""
    input:
        evaluations=for_job(needed.budget_evaluations),
        models=for_job(needed.budget_models),
        code=code("gather_budget.py"),
    output:
        budget="results/tables/budgets/{budget}.csv",
    log:
        "results/logs/gather_budget/{budget}.log",
    benchmark:
        "results/benchmarks/gather_budget/{budget}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        lines=parameter("budget/{budget}/lines"),
        passes=parameter("budget/{budget}/passes"),
        headline=parameter("headline"),
    script:
        "../scripts/gather_budget.py"


rule measure_contrasts:
    """Put claims about trainings to the test: weighted sums of accuracies, paired, with their intervals."""
    input:
        evaluations=for_job(needed.contrasts_evaluations),
        code=code("measure_contrasts.py"),
    output:
        contrasts="results/tables/contrasts/{contrasts}.csv",
    log:
        "results/logs/measure_contrasts/{contrasts}.log",
    benchmark:
        "results/benchmarks/measure_contrasts/{contrasts}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        cells=parameter("contrasts/{contrasts}/cells"),
        claims=parameter("contrasts/{contrasts}/claims"),
        margin=parameter("contrasts/{contrasts}/margin"),
        headline=parameter("headline"),
    script:
        "../scripts/measure_contrasts.py"


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
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    script:
        "../scripts/measure_theory.py"


rule measure_pairs:
    """Measure what second teachers add to a base teacher, for one draw of its classes."""
    input:
        dataset=for_job(needed.pairs_dataset),
        episodes=for_job(needed.pairs_episodes),
        weights=for_job(needed.pairs_weights),
        code=for_job(code_of.measure_pairs),
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
        mem_mb=planned("measure_pairs", "mem_mb"),
        gpu_mb=on_a_card("measure_pairs"),
        runtime=planned("measure_pairs", "minutes"),
    params:
        pairs=parameter("pairs/{pairs}"),
        device=parameter("device"),
        processor=parameter("processor"),
    script:
        "../scripts/measure_pairs.py"


rule gather_pairs:
    """Gather all draws of an experiment with pairs of teachers, and the mean gains over them."""
    input:
        draws=for_job(needed.pairs_draws),
        code=code("gather_pairs.py"),
    output:
        rows="results/analysis/pairs/{pairs}.parquet",
        gains="results/tables/pairs/{pairs}.csv",
    log:
        "results/logs/gather_pairs/{pairs}.log",
    benchmark:
        "results/benchmarks/gather_pairs/{pairs}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    script:
        "../scripts/gather_pairs.py"
