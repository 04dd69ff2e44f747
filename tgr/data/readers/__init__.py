"""One file for each source of a dataset: what it reads, and how."""
