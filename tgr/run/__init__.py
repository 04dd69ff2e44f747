"""Running a stage as a job: logs, provenance, verification of artefacts, the sources that a stage depends on."""
