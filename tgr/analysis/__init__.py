"""Analyses: they measure, once, what tables and figures show."""
