"""The configuration: models (``schema``), loading with readable errors (``load``), documents (``generate``)."""
