#!/usr/bin/env bash
# Installs strmatch with its extra sam2 into the environment of `python`: what the images have.
# usage: install.sh PACKAGE CONSTRAINTS
set -euo pipefail
package=$1 constraints=$2
python -m pip install --quiet --no-cache-dir uv
# Containers often set PYTHONDONTWRITEBYTECODE: without byte code each process compiles its imports.
install() {
    python -m uv pip install --quiet --no-cache --compile-bytecode \
        --python "$(command -v python)" "$@"
}
install -c "$constraints" "$package" 'hydra-core==1.3.*' iopath setuptools
# With the torch that is there by now, and without torchvision.
SAM2_BUILD_CUDA=0 install --no-build-isolation --no-deps sam2==1.1.0
