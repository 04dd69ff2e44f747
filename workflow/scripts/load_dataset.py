"""Read a dataset of any source."""

from tgr.config.teachers import Dataset
from tgr.data.readers.base import Inputs
from tgr.data.sources import load_dataset
from tgr.run import job

with job.stage(snakemake) as run:
    inputs = Inputs(run.input.source, run.input.images or None)
    dataset = load_dataset(run.wildcards.dataset, Dataset(**run.params.dataset), inputs)
    dataset.save(run.output.dataset)
    print(
        f"{dataset.name}: {len(dataset.images)} images of {dataset.image_size} px, {len(dataset.class_names)} classes"
    )
