"""Parameters of the methods, by family."""
