#!/bin/sh
# Fills /opt/pawl, the only thing that an image takes from its build: every package from a wheel whose
# hash is checked, then our own wheel.
set -eu
into="/opt/build/bin/pip --python /opt/pawl/bin/python install --no-cache-dir"
case $1 in
packages)
  python -m venv --without-pip /opt/pawl
  $into --require-hashes --only-binary :all: -r requirements.txt
  ;;
project)
  $into --no-index --no-deps /dist/*.whl
  # the packages' own tests: 100 MB in the trainer
  find /opt/pawl/lib -type d -name tests -prune -exec rm -rf {} +
  ;;
*)
  echo "usage: install.sh packages | project" >&2
  exit 2
  ;;
esac
