"""Figures: a frame becomes a matplotlib `Figure`, which is written as PNG and PDF."""
