#!/bin/sh
# Make sure that there is a Chromium for the browser tests: the system's, else its package, else Playwright's own.
# Usage: ensure_browser.sh PYTHON
set -eu
python=$1
if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null && apt-get --version >/dev/null; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    $as_root apt-get update -qq && $as_root apt-get install -y -qq chromium && exit 0
fi
exec "$python" -m playwright install chromium
