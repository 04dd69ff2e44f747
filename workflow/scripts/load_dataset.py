"""Read a dataset of any source."""

from tgr import job
from tgr.config.schema import Dataset
from tgr.data.sources import load_dataset

with job.stage(snakemake) as run:
    dataset = load_dataset(run.wildcards.dataset, Dataset(**run.params.dataset), run.input.source)
    dataset.save(run.output.dataset)
    print(
        f"{dataset.name}: {len(dataset.images)} images of {dataset.image_size} px, {len(dataset.class_names)} classes"
    )
