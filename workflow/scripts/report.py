"""Typeset a table or draw a figure: the rule names the module of `tgr.reporting`, e.g. `tables.main`."""

from importlib import import_module

from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    module = import_module(f"tgr.reporting.{run.params.module}")
    save(run.call(module.table if run.params.module.startswith("tables.") else module.draw), *vars(run.output).values())
