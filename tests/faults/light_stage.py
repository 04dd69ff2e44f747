"""A stage that computes nothing, for faults of the workflow itself: its outputs are made of its inputs' digests.

It takes the place of each script. It writes slowly, in several pieces, so that a random moment is often one of writing.
"""

import json
import time

from tgr.artifacts import digest
from tgr.run import job

with job.stage(snakemake) as run:  # noqa: F821
    sources = [path for paths in vars(run.input).values() for path in (paths if isinstance(paths, list) else [paths])]
    digests = [digest(path) for path in sources if path.suffix != ".py"]
    about = {"wildcards": vars(run.wildcards), "params": repr(vars(run.params)), "inputs": digests}
    for output in vars(run.output).values():
        files = [output] if output.suffix != ".partial" else [output / f"part-{index}.json" for index in range(3)]
        for file in files:
            file.parent.mkdir(exist_ok=True)
            with file.open("w") as opened:
                for piece in json.dumps({"file": file.suffix} | about, indent=1).splitlines(keepends=True):
                    opened.write(piece)
                    opened.flush()
                    time.sleep(0.002)
