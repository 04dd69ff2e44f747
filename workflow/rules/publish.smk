"""What others get: a page of all accuracies, the kit for a paper, trained models. Made from what the other rules made."""


rule write_index:
    """Write the page with all accuracies, to filter, to hover over and to download."""
    input:
        summaries=needed.summaries(),
        seeds=needed.seeds(),
        ablations=needed.ablation_accuracies(),
        ablation_seeds=needed.ablation_seeds(),
        templates=given(needed.templates("index.html", "index.css", "index.js")),
        code=code("write_index.py"),
    output:
        html=report_item("results/index.html", "index", "all scenarios", "all accuracies"),
    log:
        "results/logs/write_index/all.log",
    benchmark:
        "results/benchmarks/write_index/all.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        headline=parameter("headline"),
        captions=parameter("captions"),
        files=[os.path.relpath(file, "results") for file in ending_in(TARGETS, ".png", ".md")],
    script:
        "../scripts/write_index.py"


rule collect_paper:
    """Collect figures, tables, captions, a bibliography and a manifest for a paper; `all` does not ask for it."""
    input:
        files=ending_in(TARGETS, ".pdf", ".tex", ".csv"),
        captions=given([str(BASE / f"workflow/report/{name}.rst") for name in sorted(set(CAPTIONS.values()))]),
        templates=given(needed.templates("paper.tex", "results.bib")),
        code=code("collect_paper.py"),
    output:
        folder=directory("results/paper"),
        archive="results/paper.zip",
    log:
        "results/logs/collect_paper/all.log",
    benchmark:
        "results/benchmarks/collect_paper/all.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        paper=paper_parameters,
    script:
        "../scripts/collect_paper.py"


rule share_models:
    """Collect teachers, recovered images and meta-models for a hub or an archive; `all` does not ask for it."""
    input:
        teachers=needed.all_teachers(),
        recovered=needed.all_recovered(),
        models=needed.all_models(),
        tables=needed.main_tables(),
        templates=given(needed.templates("share.md", "share_pool.md")),
        attribution=given(str(BASE / "tgr/resources/ATTRIBUTION.md")),
        code=code("share_models.py"),
    output:
        folder=directory("results/share"),
    log:
        "results/logs/share_models/all.log",
    benchmark:
        "results/benchmarks/share_models/all.tsv"
    group:
        "report"
    conda:
        "../../envs/tgr.yaml"
    resources:
        **BRIEF,
    params:
        shared=parameter_tree.shared(jobs, CONFIGS),
    script:
        "../scripts/share_models.py"
