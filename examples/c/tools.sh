#!/bin/sh
# Install what `make check` and `make arm` need, on Debian and Ubuntu.
set -eu
apt-get update
apt-get install -y --no-install-recommends gcc libc6-dev make valgrind qemu-user \
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
