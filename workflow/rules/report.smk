"""Tables and figures: made from stored results, nothing is computed again."""


rule tabulate:
    """Write the main table: every method, shot and protocol, with paired differences to TGR."""
    input:
        evaluations=for_job(needed.main_evaluations),
        code=code("tabulate.py"),
    output:
        csv=report_item("results/tables/{scenario}/main.csv", "main_table"),
        markdown="results/tables/{scenario}/main.md",
        latex="results/tables/{scenario}/main.tex",
    log:
        "results/logs/tabulate/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods/{scenario}"),
        headline=parameter("headline"),
    script:
        "../scripts/tabulate.py"


rule tabulate_selection:
    """Write the table of selection rules, the oracle beside them."""
    input:
        evaluations=for_job(needed.main_evaluations),
        code=code("tabulate_selection.py"),
    output:
        csv=report_item("results/tables/{scenario}/selection.csv", "selection_table"),
        markdown="results/tables/{scenario}/selection.md",
        latex="results/tables/{scenario}/selection.tex",
    log:
        "results/logs/tabulate_selection/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate_selection/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods/{scenario}"),
    script:
        "../scripts/tabulate_selection.py"


rule plot_accuracy:
    """Draw the accuracy of every method."""
    input:
        evaluations=for_job(needed.main_evaluations),
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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods/{scenario}"),
        headline=parameter("headline"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_accuracy.py"


rule plot_dissimilarity:
    """Draw the dissimilarity of all pairs of teachers, by task group."""
    input:
        dissimilarity=for_job(needed.shown_dissimilarity),
        groups=for_job(needed.shown_groups),
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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_dissimilarity.py"


rule plot_recovered:
    """Draw recovered images above real ones."""
    input:
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.recovered),
        transfers=for_job(needed.transfers),
        datasets=for_job(needed.teacher_datasets),
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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        figures=parameter("figures"),
    script:
        "../scripts/plot_recovered.py"


rule plot_curves:
    """Draw loss and gradient conflict over training."""
    input:
        models=for_job(needed.main_models),
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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods/{scenario}"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_curves.py"


rule tabulate_ablation:
    """Write the table of an ablation: variants of some methods, and their gradient conflict."""
    input:
        evaluations=for_job(needed.ablation_evaluations),
        models=for_job(needed.ablation_models),
        code=code("tabulate_ablation.py"),
    output:
        csv=report_item(f"{ABLATION}.csv", "ablation_table", item="ablation {ablation}"),
        markdown=f"{ABLATION}.md",
        latex=f"{ABLATION}.tex",
    log:
        "results/logs/tabulate_ablation/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/tabulate_ablation/{scenario}/{ablation}.tsv"
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
        "../scripts/tabulate_ablation.py"


rule tabulate_pools:
    """Write the table of pools: their teachers, their recovered images, how often they serve."""
    input:
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.recovered),
        transfers=for_job(needed.transfers),
        models=for_job(needed.main_models),
        code=code("tabulate_pools.py"),
    output:
        csv=report_item("results/tables/{scenario}/pools.csv", "pools_table"),
        markdown="results/tables/{scenario}/pools.md",
        latex="results/tables/{scenario}/pools.tex",
    log:
        "results/logs/tabulate_pools/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate_pools/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    script:
        "../scripts/tabulate_pools.py"


rule tabulate_cost:
    """Write the table of costs: seconds and memory of every stage and method."""
    input:
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.recovered),
        embeddings=for_job(needed.embeddings),
        models=for_job(needed.main_models),
        code=code("tabulate_cost.py"),
    output:
        csv=report_item("results/tables/{scenario}/cost.csv", "cost_table"),
        markdown="results/tables/{scenario}/cost.md",
        latex="results/tables/{scenario}/cost.tex",
    log:
        "results/logs/tabulate_cost/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate_cost/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods/{scenario}"),
    script:
        "../scripts/tabulate_cost.py"


rule tabulate_overview:
    """Write the overview: every method in every scenario."""
    input:
        evaluations=needed.all_main_evaluations(),
        code=code("tabulate_overview.py"),
    output:
        csv=report_item("results/tables/overview.csv", "overview_table", "all scenarios"),
        markdown="results/tables/overview.md",
        latex="results/tables/overview.tex",
    log:
        "results/logs/tabulate_overview/all.log",
    benchmark:
        "results/benchmarks/tabulate_overview/all.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods"),
        headline=parameter("headline"),
    script:
        "../scripts/tabulate_overview.py"
