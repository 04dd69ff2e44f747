"""Tables: typeset from what the rules of `analysis.smk` measured."""


rule tabulate_main:
    """Write the main table: every method, shot and protocol, with paired differences to TGR."""
    input:
        summary=SUMMARY,
        code=code("report.py", "tgr.reporting.tables.main"),
    output:
        **table_files("{scenario}/main", "main_table"),
    log:
        "results/logs/tabulate_main/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate_main/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="tables.main",
        headline=parameter("headline"),
        heads=parameter("heads/{scenario}"),
        networks=parameter("networks/{scenario}"),
        published=parameter("published/{scenario}"),
    script:
        "../scripts/report.py"


rule tabulate_selection:
    """Write the table of selection rules, the oracle beside them."""
    input:
        summary=SUMMARY,
        code=code("report.py", "tgr.reporting.tables.selection"),
    output:
        **table_files("{scenario}/selection", "selection_table"),
    log:
        "results/logs/tabulate_selection/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate_selection/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="tables.selection",
    script:
        "../scripts/report.py"


rule tabulate_ablation:
    """Write the table of an ablation: variants of methods, and their gradient conflict."""
    input:
        accuracies="results/analysis/{scenario}/ablation-{ablation}-accuracies.csv",
        code=code("report.py", "tgr.reporting.tables.ablation"),
    output:
        **table_files("{scenario}/ablation-{ablation}", "ablation_table", item="ablation {ablation}"),
    log:
        "results/logs/tabulate_ablation/{scenario}/{ablation}.log",
    benchmark:
        "results/benchmarks/tabulate_ablation/{scenario}/{ablation}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="tables.ablation",
        caption=parameter("ablation/{ablation}/caption"),
        headline=parameter("headline"),
    script:
        "../scripts/report.py"


rule tabulate_pools:
    """Write the table of pools: their teachers, their recovered images, how often they serve."""
    input:
        pools="results/analysis/{scenario}/pools.parquet",
        code=code("report.py", "tgr.reporting.tables.pools"),
    output:
        **table_files("{scenario}/pools", "pools_table"),
    log:
        "results/logs/tabulate_pools/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate_pools/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="tables.pools",
        replicates=parameter("replicates"),
    script:
        "../scripts/report.py"


rule tabulate_cost:
    """Write the table of costs: seconds and memory of every stage and method."""
    input:
        stages="results/analysis/{scenario}/cost-stages.parquet",
        code=code("report.py", "tgr.reporting.tables.cost"),
    output:
        **table_files("{scenario}/cost", "cost_table"),
    log:
        "results/logs/tabulate_cost/{scenario}.log",
    benchmark:
        "results/benchmarks/tabulate_cost/{scenario}.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="tables.cost",
        replicates=parameter("replicates"),
    script:
        "../scripts/report.py"


rule tabulate_overview:
    """Write the overview: every method in every scenario."""
    input:
        summaries=needed.summaries(),
        code=code("report.py", "tgr.reporting.tables.overview"),
    output:
        **table_files("overview", "overview_table", "all scenarios"),
    log:
        "results/logs/tabulate_overview/all.log",
    benchmark:
        "results/benchmarks/tabulate_overview/all.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        module="tables.overview",
        headline=parameter("headline"),
    script:
        "../scripts/report.py"
