"""What others get: the page of all accuracies, the kit for a paper, trained models, snapshots for the repository."""
