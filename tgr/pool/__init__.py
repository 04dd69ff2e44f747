"""Pools of teachers: planning, pre-training, cards, loading."""
