"""Experiments of their own about the method: what the paper claims, measured."""
