# life: on a clean Debian without systemd: installed, started, upgraded, removed, purged. SPDX-License-Identifier: Apache-2.0
#
# All of it in namespaces of its own: what is mounted, and what runs, is gone when this ends.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/root.sh"
need git
enter_namespaces --mount --pid

given_debs
ROOT=$WORK/root
given_clean_root "$ROOT"
mount -t proc proc "$ROOT/proc"

CHROOT=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
inside()
{
    "${CHROOT[@]}" chroot "$ROOT" "$@"
}

# Every path with its kind, mode and owner; of files what is in them. Left out: what dpkg and its tools note about
# themselves, and the locks and copies that they keep of the lists of users.
everything()
{
    (
        cd "$ROOT"
        set -- . -xdev '(' -path ./proc -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./tmp -o -path ./srv \
            -o -path './etc/*-' -o -path ./etc/.pwd.lock -o -path ./run/adduser ')' -prune -o
        find "$@" -printf '%p %y %m %U:%G %l\n'
        find "$@" -type f -print0 | xargs -0 md5sum
    ) | sort
}

install_deb()
{
    cp "$1" "$ROOT/tmp/reeve.deb"
    inside dpkg -i /tmp/reeve.deb >"$WORK/dpkg.log" 2>&1 || fail "dpkg -i: $(cat "$WORK/dpkg.log")"
}

start_daemon()
{
    local words

    words=$(sed -n 's/^ExecStart=//p' "$ROOT/usr/lib/systemd/system/reeve.service")
    # shellcheck disable=SC2086 # the words of the unit
    "${CHROOT[@]}" chroot "$ROOT" $words >>"$WORK/daemon.log" 2>&1 &
    DAEMON=$!
    await 60 "the daemon answers" answers
}

answers()
{
    kill -0 "$DAEMON" 2>/dev/null || fail "the daemon ended: $(cat "$WORK/daemon.log")"
    inside reeve status -o json 2>/dev/null | grep -q '"live"'
}

stop_daemon()
{
    kill -TERM "$DAEMON"
    wait "$DAEMON" || fail "the daemon ended badly: $(cat "$WORK/daemon.log")"
}

is_healthy()
{
    inside reeve status shop 2>/dev/null | grep -q 'in_sync *healthy'
}

keepers()
{
    inside sh -c 'ls -l /proc/[0-9]*/exe' 2>/dev/null | grep -c -- '-> /usr/libexec/reeve/keeper' || true
}

refused()
{
    ! inside dpkg --purge reeve >"$WORK/dpkg.log" 2>&1 || fail "a purge took files from under what runs"
    grep -q 'REEVE_PURGE=end' "$WORK/dpkg.log" || fail "it says how: $(cat "$WORK/dpkg.log")"
    [ -e "$ROOT/var/lib/reeve/reeve.db" ] || fail "the state is there"
}

inside dpkg --purge --force-depends systemd libsystemd-shared >"$WORK/dpkg.log" 2>&1 || fail "no systemd: $(cat "$WORK/dpkg.log")"
everything >"$WORK/before"
echo "a clean root of $(grep -c '^[0-9a-f]\{32\} ' "$WORK/before") files, without systemd: $(inside sh -c 'command -v systemctl' || echo none)"

# --- the first start --------------------------------------------------------------------------------

install_deb "$DEB"
inside dpkg --audit | grep . && fail "dpkg finds something half done"
[ "$(stat -c %U:%G:%a "$ROOT/var/lib/reeve" 2>/dev/null || true)" != root:root:755 ] || fail "the state is the daemon's"
[ "$(inside stat -c %U:%G:%a /var/lib/reeve /run/reeve | paste -s -d ' ')" = "reeve:reeve:750 reeve:reeve:755" ] ||
    fail "directories: $(inside stat -c '%n %U:%G:%a' /var/lib/reeve /run/reeve)"
start_daemon
[ "$(inside stat -c %U:%G:%a /run/reeve/reeve.sock)" = reeve:reeve:660 ] || fail "who may talk to it"
[ "$(sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "$ROOT/proc/$DAEMON/status")" = "$(inside id -u reeve)" ] || fail "it gave up root"
inside reeve check --quiet || fail "it would start again"
echo "first start: $(inside reeve version), as user $(inside id -un reeve): $(inside reeve status 2>&1 | cut -d : -f 1)"

# --- something to keep ------------------------------------------------------------------------------

given_shop shop
inside chown -R reeve:reeve /srv
cat >>"$ROOT/etc/reeve/reeve.yaml" <<'END'
sources: {shop: {url: file:///srv/repo, branches: [main]}}
providers: {local: {driver: process, directory: /var/lib/reeve/services}}
environments:
  - {match: {source: shop, name: shop}, branch: main, providers: {services: local}, isolation: none}
END
stop_daemon
start_daemon
await 60 "the service is healthy" is_healthy
events=$(inside reeve history -n 1000 -o json | grep -o '"seq"' | wc -l)
identity=$(md5sum <"$ROOT/var/lib/reeve/keys/installation")
config=$(md5sum <"$ROOT/etc/reeve/reeve.yaml")

# --- the next version over it -----------------------------------------------------------------------

install_deb "$DEB_NEXT"
grep -q 'old version until it is started again' "$WORK/dpkg.log" || fail "without systemd it says who still runs"
[ "$(inside dpkg-query -W -f '${Version}' reeve)" = "$(dpkg-deb -f "$DEB_NEXT" Version)" ] || fail "the next version is there"
stop_daemon
[ "$(keepers)" -eq 1 ] || fail "the service outlives the daemon: $(keepers)"
start_daemon
await 60 "the service is healthy" is_healthy
inside reeve audit verify --replay >"$WORK/audit" || fail "the history holds: $(cat "$WORK/audit")"
[ "$(inside reeve history -n 1000 -o json | grep -o '"seq"' | wc -l)" -ge "$events" ] || fail "the history is kept"
[ "$(md5sum <"$ROOT/var/lib/reeve/keys/installation")" = "$identity" ] || fail "the keys are kept"
[ "$(md5sum <"$ROOT/etc/reeve/reeve.yaml")" = "$config" ] || fail "the configuration is kept"
echo "upgrade to $(dpkg-deb -f "$DEB_NEXT" Version): state and configuration kept, the service ran on; $(head -n 1 "$WORK/audit")"

# --- removed and purged -----------------------------------------------------------------------------

stop_daemon
refused
[ "$(inside dpkg-query -W -f '${db:Status-Status}' reeve)" = installed ] && [ -x "$ROOT/usr/bin/reeve" ] ||
    fail "a purge that is refused removes nothing"
[ "$(md5sum <"$ROOT/etc/reeve/reeve.yaml")" = "$config" ] || fail "and keeps the configuration"
inside dpkg --remove reeve >"$WORK/dpkg.log" 2>&1 || fail "dpkg --remove: $(cat "$WORK/dpkg.log")"
grep -q 'run on, with nobody to look after them' "$WORK/dpkg.log" || fail "it says what runs on"
[ "$(keepers)" -eq 1 ] || fail "the service outlives the package"
[ -e "$ROOT/var/lib/reeve/reeve.db" ] && [ "$(md5sum <"$ROOT/etc/reeve/reeve.yaml")" = "$config" ] ||
    fail "a removal keeps state and configuration"
install_deb "$DEB_NEXT"
start_daemon
await 60 "the service is found again" is_healthy
stop_daemon
inside dpkg --remove reeve >"$WORK/dpkg.log" 2>&1
refused
CHROOT+=(REEVE_PURGE=end)
inside dpkg --purge reeve >"$WORK/dpkg.log" 2>&1 || fail "dpkg --purge: $(cat "$WORK/dpkg.log")"
[ "$(keepers)" -eq 0 ] || fail "what it kept has ended"
everything >"$WORK/after"
diff "$WORK/before" "$WORK/after" >"$WORK/left" || fail "a purge leaves: $(cat "$WORK/left")"
echo "purge: refused while a service ran, then ended it; every path, owner, mode and byte is as before"
