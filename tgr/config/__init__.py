"""The configuration: models (``schema``), loading with readable errors (``load``), generated documents (``generate``)."""
