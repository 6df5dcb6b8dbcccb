#!/usr/bin/env bash
# A base image for Containerfile from Debian's packages, where no registry of images can be reached:
#     tools/base-image.sh [TAG]
# As root, with debootstrap and podman (or what ENGINE names). TAG is the one that Containerfile begins from, by default.
set -euo pipefail
tag=${1:-docker.io/library/python:3.11-slim-bookworm}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$root" "${MIRROR:-http://deb.debian.org/debian}"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" -c . | ${ENGINE:-podman} import - "$tag"
