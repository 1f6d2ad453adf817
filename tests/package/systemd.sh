# systemd: the units do what they say, under a systemd that runs them. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/root.sh"
. "$(dirname "$0")/boot.sh"
need git unshare nsenter

given_debs
ROOT=$WORK/root
given_clean_root "$ROOT"
given_shop spaces users
cp "$DEB" "$ROOT/root/reeve.deb"
cp "$DEB_NEXT" "$ROOT/root/next.deb"
given_machine
echo "$(inside systemctl --version | head -n 1), control groups of version $MACHINE_GROUPS"

show()
{
    inside systemctl show -p "$1" --value "${2:-reeve.service}"
}

is_active()
{
    [ "$(show ActiveState)" = active ]
}

install_deb()
{
    inside dpkg -i "/root/$1" >"$WORK/dpkg.log" 2>&1 || fail "dpkg -i: $(cat "$WORK/dpkg.log")"
}

are_healthy()
{
    [ "$(inside reeve status 2>/dev/null | grep -c 'in_sync *healthy')" -eq 2 ]
}

keepers()
{
    inside sh -c 'ls -l /proc/[0-9]*/exe' 2>/dev/null | sed -n 's|.*/proc/\([0-9]*\)/exe -> /usr/libexec/reeve/keeper.*|\1|p' | sort
}

# In the background: asks all the time until /srv/ended is there, and notes each question and each failure.
ask()
{
    rm -f "$ROOT/srv/ended"
    # shellcheck disable=SC2016
    inside sh -c 'asked=0 refused=0
        until [ -e /srv/ended ]; do
            asked=$((asked + 1))
            reeve status --server /run/reeve/reeve.sock >/srv/said 2>&1 || { refused=$((refused + 1)); cat /srv/said; }
        done
        echo "$asked asked, $refused refused"' >"$WORK/asked" &
    ASK=$!
}
asked()
{
    : >"$ROOT/srv/ended"
    wait "$ASK"
    grep -q ', 0 refused$' "$WORK/asked" || fail "$1: $(cat "$WORK/asked")"
    echo "$1: $(tail -n 1 "$WORK/asked")"
}

# --- the first start --------------------------------------------------------------------------------

install_deb reeve.deb
is_active || fail "the service is active: $(inside journalctl -u reeve -n 5 --no-pager -o cat)"
[ "$(show StatusText)" = serving ] || fail "it said that it is ready"
[ "$(show ActiveState reeve.socket)" = active ] || fail "the socket is held"
[ "$(show UnitFileState) $(show UnitFileState reeve.socket) $(show UnitFileState reeve-api.socket)" = "enabled enabled disabled" ] ||
    fail "what starts with the machine"
[ "$(inside ps -o user= -p "$(show MainPID)" 2>/dev/null || inside stat -c %U "/proc/$(show MainPID)/task")" != root ] ||
    fail "it gave up root"
inside sh -c 'cat >>/etc/reeve/reeve.yaml' <<'END'
uids: 62000-62009
listen: 127.0.0.1:7420
sources: {shop: {url: file:///srv/repo, branches: [main]}}
providers: {local: {driver: process, directory: /var/lib/reeve/services}}
environments:
  - {match: {source: shop, name: spaces}, branch: main, providers: {services: local}, isolation: namespace}
  - {match: {source: shop, name: users}, branch: main, providers: {services: local}, isolation: uid}
END
inside chown -R reeve:reeve /srv/repo
inside systemctl stop --quiet reeve.service
inside systemctl enable --quiet --now reeve-api.socket
inside systemctl start reeve.service || fail "it starts: $(inside journalctl -u reeve -n 5 --no-pager -o cat)"
inside systemctl reload reeve.service || fail "it is told to look again"
await 60 "isolation namespace and uid, under what the unit forbids" are_healthy
inside reeve --server http://127.0.0.1:7420 status >"$WORK/said" 2>&1 && fail "nobody is let in without a token"
! grep -q 'cannot reach\|refused' "$WORK/said" || fail "the API answers at the lent socket: $(cat "$WORK/said")"
echo "first start: $(show StatusText) as $(inside sh -c "stat -c %U /run/reeve/reeve.sock"), environments in namespaces and as users are healthy"
kept=$(keepers)
[ "$(echo "$kept" | wc -l)" -eq 2 ] || fail "two services have keepers: $kept"

# --- started again, upgraded ------------------------------------------------------------------------

ask
for round in {1..10}; do
    inside systemctl restart reeve.service || fail "restart $round"
done
asked "$round restarts"
[ "$(keepers)" = "$kept" ] || fail "services outlive a restart"

ask
pid=$(show MainPID)
install_deb next.deb
asked "an upgrade"
is_active && [ "$(show MainPID)" != "$pid" ] || fail "the next version runs"
[ "$(keepers)" = "$kept" ] || fail "services outlive an upgrade"

inside cp -p /etc/reeve/reeve.yaml /root/good.yaml
pid=$(show MainPID)
inside sh -c 'echo "colour: blue" >>/etc/reeve/reeve.yaml'
install_deb next.deb
grep -q 'runs on; mend it' "$WORK/dpkg.log" || fail "it says that it would not start: $(cat "$WORK/dpkg.log")"
[ "$(show MainPID)" = "$pid" ] || fail "what would not start takes nobody's place"
inside cp -p /root/good.yaml /etc/reeve/reeve.yaml

inside systemctl stop --quiet reeve.socket reeve-api.socket reeve.service
install_deb next.deb
[ "$(show ActiveState)" = inactive ] || fail "what was stopped stays so"
inside systemctl start reeve.socket reeve-api.socket reeve.service
[ "$(keepers)" = "$kept" ] || fail "services outlive a stop"
echo "refused a configuration that is wrong, left what was stopped, kept $(echo "$kept" | wc -l) services"

# --- in a scope, so that limits are kept in groups of version 2 ----------------------------------------

inside sh -c 'mkdir -p /run/systemd/system/reeve.service.d
    cp /usr/share/doc/reeve/examples/limits.conf /run/systemd/system/reeve.service.d/ && systemctl daemon-reload'
for round in 1 2 3; do
    inside systemctl restart reeve.service || fail "in a scope, restart $round"
    inside grep -q '/reeve.slice/run-.*\.scope' "/proc/$(show MainPID)/cgroup" || fail "it is in a scope"
    await 60 "it found its services" are_healthy
done
[ "$MACHINE_GROUPS" = 1 ] || ! inside reeve doctor | grep 'limits.* is not kept' || fail "limits are kept"
[ "$(keepers)" = "$kept" ] || fail "services outlive a scope"
inside rm /run/systemd/system/reeve.service.d/limits.conf
echo "limits.conf: $(show StatusText) in a scope, three restarts"

# --- no sign of life --------------------------------------------------------------------------------

inside sh -c 'mkdir -p /run/systemd/system/reeve.service.d
    printf "[Service]\nWatchdogSec=2\nRestartSec=100ms\n" >/run/systemd/system/reeve.service.d/watchdog.conf
    systemctl daemon-reload && systemctl restart reeve.service'
inside sh -c "kill -STOP $(show MainPID)"
was_restarted()
{
    [ "$(show NRestarts)" -ge 1 ] && is_active
}
await 60 "the watchdog starts a daemon anew that says nothing" was_restarted
await 60 "it found its services" are_healthy
[ "$(keepers)" = "$kept" ] || fail "services outlive the watchdog"
echo "watchdog: $(show NRestarts) restart of a daemon that was stopped"

# --- removed, put back, purged ----------------------------------------------------------------------

inside dpkg --remove reeve >"$WORK/dpkg.log" 2>&1 || fail "dpkg --remove: $(cat "$WORK/dpkg.log")"
[ "$(keepers)" = "$kept" ] || fail "services outlive the package"
install_deb next.deb
is_active || fail "installed again it starts"
await 60 "it found its services" are_healthy
! inside dpkg --purge reeve >"$WORK/dpkg.log" 2>&1 || fail "a purge took files from under what runs"
is_active || fail "a purge that is refused stops nothing"
inside env REEVE_PURGE=end dpkg --purge reeve >"$WORK/dpkg.log" 2>&1 || fail "dpkg --purge: $(cat "$WORK/dpkg.log")"
[ -z "$(keepers)" ] || fail "what it kept has ended"
left=$(inside find / -xdev \( -path /root -o -path /srv -o -path /var/lib/dpkg -o -path /var/log \) -prune -o -iname '*reeve*' -print)
[ -z "$left" ] || fail "a purge leaves: $left"
[ "$(inside systemctl list-unit-files 'reeve*' --no-legend --no-pager | wc -l)" -eq 0 ] || fail "no unit is left"
echo "removed, found again, purge refused, then all of it gone"
