"""Meta-learning: the image bank, meta-learners, gradient regularisation."""
