#!/usr/bin/env bash
# Runs once in a fresh sandbox, before the agent starts.
set -euo pipefail
python3 --version
python3 -m compileall -q patient tests
