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
    """Draw the error of the displaced gradient over lambda, and what regularised steps do."""
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
