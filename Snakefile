"""TGR-bench: data-free meta-learning from heterogeneous pre-trained models.

The workflow stands in `workflow/Snakefile`, where Snakemake's catalogue and other workflows look for it.
"""


include: "workflow/Snakefile"


# Of an included file Snakemake takes no default target.
workflow.default_target = "all"
