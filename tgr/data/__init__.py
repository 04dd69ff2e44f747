"""Datasets of any source in one form, their class splits, and frozen episodes."""
