"""TGR-bench: data-free meta-learning from heterogeneous pre-trained models.

`snakemake --cores 2` makes every table and figure of `config/config.yaml`; `--configfile` takes another configuration in
its place. Every path is relative to the working directory (`--directory`).
"""

from snakemake.utils import min_version

min_version("9.27")

if not workflow.configfiles:

    configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/pool.smk"
include: "workflow/rules/inversion.smk"
include: "workflow/rules/panel.smk"
include: "workflow/rules/task_space.smk"
include: "workflow/rules/meta.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/publish.smk"


rule all:
    """Make the tables and figures of all scenarios."""
    default_target: True
    input:
        TARGETS,
