#!/bin/sh
# The command `xc_vd_tool.py`, on the Node that package.json pins.
self=$(readlink -f "$0"); root=$(dirname "$(dirname "$self")")
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE-$root/build/compile-cache}"
exec "$root/bin/node" "$root/src/apps/xen12.ts" xc_vd_tool "$@"
