"""Tables and figures: made from stored results, nothing is computed again."""


rule tabulate:
    """Write the main table: every method, shot and protocol, with paired differences to TGR."""
    input:
        evaluations=all_evaluations,
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
        methods=parameter("methods"),
        headline=parameter("headline"),
    script:
        "../scripts/tabulate.py"


rule tabulate_selection:
    """Write the table of selection rules, the oracle beside them."""
    input:
        evaluations=all_evaluations,
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
        methods=parameter("methods"),
    script:
        "../scripts/tabulate_selection.py"


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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods"),
        headline=parameter("headline"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_accuracy.py"


rule plot_dissimilarity:
    """Draw the dissimilarity of all pairs of teachers, by task group."""
    input:
        dissimilarity=DISSIMILARITY,
        groups=GROUPS,
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
        teachers=all_shards(TEACHERS),
        recovered=all_shards(RECOVERED),
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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_curves.py"
