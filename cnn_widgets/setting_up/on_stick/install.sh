#!/bin/sh
# Installs cnn-widgets from this folder, with no network:  sh install.sh [FOLDER]
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
fits='import sys; v = sys.version_info; sys.exit(not (v[:2] == (@COMMAS@) and v[2] >= @MICRO@))'
for python in python@PYTHON@ python3 python; do
    if "$python" -c "$fits" > /dev/null 2>&1; then
        exec "$python" "$here/install.py" "$@"
    fi
done
echo "Python @PYTHON@ (@LOWEST@ or newer) was not found on this computer." >&2
echo "Install it and run this again; or, if you have one, type its path and $here/install.py" >&2
exit 2
