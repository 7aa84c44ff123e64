#!/bin/sh
# Make the environment and install the project in it: setup.sh VENV_DIR REQUIREMENT
set -eu
venv=$1
requirement=$2

# Open3D loads these even where there is no screen.
missing=
for pair in libusb-1.0.so.0:libusb-1.0-0 libGL.so.1:libgl1 libEGL.so.1:libegl1 libX11.so.6:libx11-6
do
    library=${pair%%:*}
    if [ "$(uname)" = Linux ] && ! "${PYTHON:-python3}" -c "import ctypes; ctypes.CDLL('$library')" 2>/dev/null
    then
        missing="$missing ${pair#*:}"
    fi
done
if [ ! -x "$venv/bin/python" ] && ! "${PYTHON:-python3}" -c "import ensurepip" 2>/dev/null; then
    missing="$missing python3-venv"
fi
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        # shellcheck disable=SC2086 # one word a package
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing
    else
        echo "System libraries are missing. Install them, then run this again:" >&2
        echo "    sudo apt-get install -y$missing" >&2
        exit 1
    fi
fi

[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"

# First what the hashes in .ci/locked know of, which is all but torch and the project itself.
locked="-r .ci/locked/run.txt"
case $requirement in *test*) locked="$locked -r .ci/locked/test.txt" ;; esac
case $requirement in *dev*) locked="$locked -r .ci/locked/dev.txt" ;; esac
if [ -z "${ANY_FILES:-}" ]; then
    # shellcheck disable=SC2086 # several words are meant
    if ! said=$("$venv/bin/python" -m pip install --quiet --require-hashes --no-deps $locked 2>&1); then
        echo "$said" >&2
        case $said in *"DO NOT MATCH THE HASHES"*)
            echo "The registry has other files than those whose hashes stand in .ci/locked. If you" >&2
            echo "trust it, install by versions alone, with: ANY_FILES=1 make ..." >&2
            exit 1
        esac
        echo "Not all of .ci/locked can be had here; going on by versions alone." >&2
    fi
fi
"$venv/bin/python" -m pip install --quiet --constraint constraints.txt --editable "$requirement"
