# The locked environment and the workflow. Docker, Podman and, through `apptainer build tgr.sif docker-archive:...`, Apptainer read it
# (docs/container.md). All packages are wheels: nothing is compiled.
FROM python:3.11-slim-bookworm

# Snakemake writes caches to the home directory; an unknown user has none.
ENV HOME=/tmp PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

WORKDIR /opt/tgr-bench
COPY envs/requirements.lock envs/requirements.lock
RUN python -m pip install --requirement envs/requirements.lock
COPY . .

# Results go below the working directory: mount a folder of yours there.
WORKDIR /work
ENTRYPOINT ["snakemake", "--snakefile", "/opt/tgr-bench/workflow/Snakefile", "--workflow-profile", "/opt/tgr-bench/profiles/default"]
CMD ["--cores", "all", "--configfile", "/opt/tgr-bench/config/config.yaml"]
