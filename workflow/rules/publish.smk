"""What others read: a page of all accuracies, and the kit for a paper. Made from what the other rules made."""

TEMPLATES = Path(workflow.basedir) / "tgr/reporting/templates"


def templates(*names):
    """Return files of `tgr/reporting/templates`."""
    return [os.path.relpath(TEMPLATES / name) for name in names]


def made(*suffixes):
    """Return what the rule `all` makes, by suffix."""
    return [str(file) for file in rules.all.input if str(file).endswith(suffixes)]


def linked_files(wildcards):
    """Return the figures and tables to which the page links, relative to the page."""
    return [os.path.relpath(file, "results") for file in made(".png", ".csv")]


rule write_index:
    """Write the page with all accuracies, to filter, to hover over and to download."""
    input:
        evaluations=main_evaluations,
        templates=templates("index.html", "index.css", "index.js"),
        code=code("write_index.py"),
    output:
        html=report_item("results/index.html", "index", "all scenarios"),
    log:
        "results/logs/write_index/all.log",
    benchmark:
        "results/benchmarks/write_index/all.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        methods=parameter("methods"),
        headline=parameter("headline"),
        files=linked_files,
    script:
        "../scripts/write_index.py"
