"""Datasets of any source in one form, and the frozen episodes that all methods share."""


# `ancient`, because the archive's checksum is fixed: how it was fetched does not matter.
rule download_cifar100:
    """Fetch the archive of CIFAR-100, for datasets that name no path; continues where it was interrupted."""
    input:
        code=ancient(code("download_cifar100.py")),
    output:
        archive=CIFAR100.path,
    log:
        "results/logs/download_cifar100.log",
    benchmark:
        "results/benchmarks/download_cifar100.tsv"
    retries: 3
    localrule: True  # the nodes of a cluster often have no network
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=500,
        runtime=120,
    script:
        "../scripts/download_cifar100.py"


# A folder of images is one input, not one for each of up to 60,000 images, each of which Snakemake would stat and hash at
# every start. `ancient`, because a folder's time stamp tells nothing of the images inside, and differs in every copy.
# Provenance records the digest of all of them. After changing images: `-R load_dataset`.
rule load_dataset:
    """Read a dataset, or unite several, and resize it."""
    input:
        source=for_job(needed.dataset_files),
        images=ancient(for_job(needed.image_folder)),
        code=for_job(code_of.load_dataset),
    output:
        dataset=DATASET,
    log:
        "results/logs/load_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/load_dataset/{dataset}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("load_dataset", "mem_mb"),
        runtime=planned("load_dataset", "minutes"),
    params:
        section=parameter("dataset/{dataset}"),
    script:
        "../scripts/load_dataset.py"


rule draw_episodes:
    """Draw the episodes of meta-val and meta-test once; all methods share them."""
    input:
        dataset=DATASET,
        code=code("draw_episodes.py"),
    output:
        episodes=EPISODES,
    log:
        "results/logs/draw_episodes/{dataset}/shot-{shot}.log",
    benchmark:
        "results/benchmarks/draw_episodes/{dataset}/shot-{shot}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("draw_episodes", "mem_mb"),
        runtime=planned("draw_episodes", "minutes"),
    params:
        shape=parameter("episodes/{dataset}"),
    script:
        "../scripts/draw_episodes.py"
