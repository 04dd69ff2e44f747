"""TGR-bench: data-free meta-learning from heterogeneous pre-trained models, as a reproducible benchmark."""

__version__ = "0.1.0"
