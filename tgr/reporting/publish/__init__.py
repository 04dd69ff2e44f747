"""What others read: the page of all accuracies, the kit for a paper, reference snapshots for the repository."""
