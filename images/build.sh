#!/bin/sh
# The first stage of the Python images, step by step, so that a change of our code keeps the layer
# with the packages. A Dockerfile can take nothing from another one, and a common base image would
# have to be built before and lie in a registry: so the steps are here and each file names them.
set -eu
step=$1
pip="/opt/build/bin/pip"
into="$pip --python /opt/pawl/bin/python install --no-cache-dir"
case $step in
tools) # pip and hatchling, which stay behind in this stage
  python -m venv /opt/build
  $pip install --no-cache-dir --require-hashes --only-binary :all: -r images/build-requirements.txt
  ;;
packages) # of the image $2
  python -m venv --without-pip /opt/pawl
  $into --require-hashes --only-binary :all: -r "images/$2/requirements.txt"
  ;;
project) # ours
  /opt/build/bin/hatchling build -t wheel -d /dist
  $into --no-index --no-deps /dist/*.whl
  # the packages' own tests: 100 MB in the trainer
  find /opt/pawl/lib -type d -name tests -prune -exec rm -rf {} +
  ;;
*)
  echo "usage: build.sh tools | packages IMAGE | project" >&2
  exit 2
  ;;
esac
