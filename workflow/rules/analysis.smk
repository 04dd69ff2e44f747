"""Experiments of their own, and figures across scenarios."""


rule measure_pairs:
    """Measure what second teachers add to a base teacher, for one draw of its classes."""
    input:
        dataset=for_job(needed.pairs_dataset),
        episodes=for_job(needed.pairs_episodes),
        weights=for_job(needed.pairs_weights),
        code=for_job(needed.measure_pairs_code),
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
        runtime=planned("measure_pairs", "minutes"),
    params:
        pairs=parameter("pairs/{pairs}"),
        device=parameter("device"),
    script:
        "../scripts/measure_pairs.py"


rule plot_pairs:
    """Draw what second teachers add, by common classes and by architecture."""
    input:
        draws=for_job(needed.pairs_draws),
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
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        base=parameter("pairs/{pairs}/base"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_pairs.py"


rule plot_sweep:
    """Draw how methods fare as something varies between scenarios."""
    input:
        evaluations=for_job(needed.sweep_evaluations),
        code=code("plot_sweep.py"),
    output:
        png=report_item("results/figures/sweeps/{sweep}.png", "sweep", "analysis", "sweep {sweep}"),
        pdf="results/figures/sweeps/{sweep}.pdf",
        csv="results/tables/sweeps/{sweep}.csv",
    log:
        "results/logs/plot_sweep/{sweep}.log",
    benchmark:
        "results/benchmarks/plot_sweep/{sweep}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        sweep=parameter("sweep/{sweep}"),
        headline=parameter("headline"),
        venue=parameter("figures/venue"),
    script:
        "../scripts/plot_sweep.py"
