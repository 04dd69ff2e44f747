"""The task space: embedding teachers, comparing them, grouping the dissimilar ones."""
