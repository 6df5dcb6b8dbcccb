#!/usr/bin/env bash
# Gradescope runs this once, as root, while it builds the image. What fails here fails the build, and is shown there.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

# Nobody but root reads the checks and the reference.
chmod -R go= /autograder/source

environment=/opt/notebook-autograder

new_enough() {
  command -v "$1" >/dev/null && "$1" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The image's own Python where it is new enough, else the newest that its packages have.
find_python() {
  for name in python3 python3.13 python3.12 python3.11; do
    if new_enough "$name"; then
      echo "$name"
      return
    fi
  done
}

python=$(find_python)
if [ -z "$python" ]; then
  apt-get update -qq
  for name in python3 python3.13 python3.12 python3.11; do
    apt-get install -y -qq --no-install-recommends "$name" "$name-venv" >/dev/null 2>&1 || true
    python=$(find_python)
    [ -z "$python" ] || break
  done
fi
if [ -z "$python" ]; then
  echo "autograder needs Python 3.11 or newer, and this image has none: choose Ubuntu 24.04 as the base image." >&2
  exit 1
fi

"$python" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --no-input @INSTALLED@

# The sandbox, the checks, and full marks for the solved master; where one of these fails, nothing would be graded.
"$environment/bin/autograder" gradescope-run --try
