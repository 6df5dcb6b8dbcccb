#!/usr/bin/env bash
# A base image for Containerfile from Debian's packages, where no registry of images can be reached:
#     tools/base-image.sh [TAG]
# As root, with mmdebstrap and podman (or what ENGINE names). TAG is the one that Containerfile begins from, by default.
set -euo pipefail
tag=${1:-docker.io/library/python:3.11-slim-bookworm}
mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv bookworm - "${MIRROR:-http://deb.debian.org/debian}" |
  ${ENGINE:-podman} import - "$tag"
