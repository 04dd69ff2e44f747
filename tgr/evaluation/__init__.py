"""Evaluation on unseen tasks: protocols, selection rules, statistics."""
