"""Draw recovered images above real ones."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tgr.analysis.examples import pick_examples, read_examples
from tgr.reporting.figures.recovered import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run, TemporaryDirectory() as folder:
    figures = run.params.figures
    examples = Path(folder) / "examples.safetensors"
    counts = {name: figures[name] for name in ("n_teachers", "images_per_class")}
    run.call(pick_examples, examples=examples, **counts)
    save(draw(read_examples(examples), venue=figures["venue"]), run.output.png, run.output.pdf)
