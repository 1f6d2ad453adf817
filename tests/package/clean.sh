# clean: the Debian that the package is installed on is made, or was. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/root.sh"

given_debs
given_made_root
echo "$(basename "$MADE"): $(du -sm "$MADE" | cut -f 1) MiB, $(cat "$MADE/etc/debian_version")"
