"""The configuration: models (``schema``, with its sections), readable errors (``load``), documents (``generate``)."""
