"""Backbones behind one registry: a trunk that gives features, and a linear head."""
