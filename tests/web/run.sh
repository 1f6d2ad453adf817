#!/bin/bash
# run: one test of the page in Chromium, on a real daemon. SPDX-License-Identifier: Apache-2.0
#
#     run.sh NAME    runs NAME.test.mjs with playwright-core and axe-core of npm; 77 and a reason where it cannot
#
# WEB_SHOTS=1 writes the pictures of docs/img anew; without it a run leaves the tree as it was.
set -u
cd "$(dirname "$0")" || exit 1
. ../e2e/npm.sh

skip()
{
    echo "skipped: $1"
    exit 77
}

command -v node >/dev/null || skip "node is not here"
CHROMIUM=$(command -v chromium) || skip "chromium is not here"
npm_brings playwright-core@1.65.1 || skip "$MISSING"
PLAYWRIGHT=$MODULES/playwright-core
npm_brings axe-core@4.14.1 || skip "$MISSING"
AXE=$MODULES/axe-core/axe.min.js
if [ "$1" = oidc ]; then
    npm_brings oidc-provider@8.4.5 || skip "$MISSING"
    OIDC=$MODULES
fi
export CHROMIUM PLAYWRIGHT AXE OIDC
exec node --test --test-reporter=spec --test-timeout=550000 "$1.test.mjs"
