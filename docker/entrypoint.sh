#!/bin/sh
# numba uses no cache of compiled kernels that it cannot write to, so the one that was made with the
# image is copied to where it can. It serves on processors like the one that built the image; on
# others, and where nothing can be written, kernels are compiled at each start.
set -eu
if [ ! -e "$NUMBA_CACHE_DIR" ] && cp -R /venv/kernels "$NUMBA_CACHE_DIR.part" 2>/dev/null; then
    mv "$NUMBA_CACHE_DIR.part" "$NUMBA_CACHE_DIR"
fi
exec convolved "$@"
