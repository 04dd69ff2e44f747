"""The DAG of a configuration: paths, jobs and what each job reads, for the rules and the planner; without Snakemake."""
