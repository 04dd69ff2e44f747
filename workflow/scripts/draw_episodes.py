"""Draw the frozen episodes of a dataset."""

from tgr import seeds
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import save_episodes, split_episodes
from tgr.run import job

with job.stage(snakemake) as run:
    dataset, shot = ImageDataset.load(run.input.dataset), int(run.wildcards.shot)
    shape = run.params.episodes
    counts = {"meta_val": shape["n_val_episodes"], "meta_test": shape["n_episodes"]}
    episodes = {}
    for split, count in counts.items():
        generator = seeds.numpy_generator("episodes", dataset.name, split, shot)
        episodes[split] = split_episodes(dataset, split, shape["n_way"], shot, shape["n_query"], count, generator)
    save_episodes(run.output.episodes, episodes)
