/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/frontend.h"

#include <inttypes.h>

#include "base/guard.h"
#include "providers/haproxy/latency.h"

#define FRONTEND_WORD(x) #x
#define FRONTEND_TEXT(x) FRONTEND_WORD(x)
#define FRONTEND_GUESSES_MAX FRONTEND_TEXT(HAPROXY_GUESSES_MAX)
#define FRONTEND_GUESSES_S FRONTEND_TEXT(HAPROXY_GUESSES_S)
#define FRONTEND_HOPS_MAX 4 /* trusted proxies behind each other */

/* Sets and removes what headers.map says, NAME:HEX~NAME:~; of an answer that has a rule for it. */
const char haproxy_frontend_lua[] =
    "core.register_action(\"reeve_headers\", { \"http-res\" }, function(txn)\n"
    "    local text = txn:get_var(\"txn.headers\")\n"
    "    for name, hex in text:gmatch(\"([A-Za-z0-9-]+):(%x*)~\") do\n"
    "        txn.http:res_del_header(name)\n"
    "        if hex ~= \"\" then\n"
    "            txn.http:res_add_header(name, (hex:gsub(\"..\", function(c)\n"
    "                return string.char(tonumber(c, 16))\n"
    "            end)))\n"
    "        end\n"
    "    end\n"
    "end)\n";

/* What the edge judges is what the application gets, but for empty segments within and parameters of segments:
 * they are dropped from the key alone, because applications carry URLs and more in paths. Two slashes first
 * would be read as a host by those that parse the path as a URL. */
static const char frontend_check[] =
    "    option disable-h2-upgrade\n"
    "    http-request deny deny_status 405 if METH_CONNECT\n"
    "    http-request disable-l7-retry unless METH_GET\n" /* an application that closed before it read */
    "    http-request deny deny_status 400 if { req.hdr_names -m reg '[^A-Za-z0-9,-]' }\n"
    "    http-request deny deny_status 400 if { req.fhdr_cnt(Authorization) gt 1 }\n"
    "    http-request normalize-uri percent-decode-unreserved\n"
    "    http-request normalize-uri percent-to-uppercase\n"
    "    http-request normalize-uri path-strip-dot\n"
    "    http-request normalize-uri path-strip-dotdot full\n"
    "    http-request set-uri %[pathq] if { path_beg / } !{ url_beg / }\n"
    "    http-request replace-path '^/+(.*)$' '/\\1' if { path_beg // }\n";

/* A pass is ours: no application gets what opens the others of its host. One that is spelled so that only some
 * read it is refused. */
static const char frontend_pass[] =
    "    acl carries_pass req.fhdr(Cookie) -m sub " HAPROXY_PASS_COOKIE "\n"
    "    http-request set-var(txn.pass) req.cook(" HAPROXY_PASS_COOKIE ") if carries_pass\n"
    "    http-request replace-header Cookie "
    "'^(.*; *)?" HAPROXY_PASS_COOKIE "=[^;]*(; *)?(.*)$' '\\1\\3' if carries_pass\n"
    "    http-request deny deny_status 400 if carries_pass\n"
    "    http-request del-header Cookie if { req.fhdr(Cookie) -m len 0 } "
    "{ req.fhdr_cnt(Cookie) eq 1 }\n";

/* On a host with rules for paths nothing may stand in a path that an application might read as
 * another one: encoded delimiters and controls, anything encoded twice, too long UTF-8, broken
 * encodings, dot segments with parameters. */
static const char frontend_host_key[] =
    "    http-request deny deny_status 400 unless "
    "{ req.fhdr(host) -m reg '^[A-Za-z0-9-][A-Za-z0-9.-]*(:[0-9]*)?$' }\n"
    "    http-request set-var(txn.host) req.fhdr(host),host_only,lower,rtrim(.)\n"
    "    acl has_paths var(txn.host),map_str(paths.map) -m found\n"
    "    http-request deny deny_status 400 if has_paths "
    "{ path -m reg '%(2F|5C|7F|[01][0-9A-F]|C[01]|E0%[89]|F0%8|F[89A-F]|25[0-9A-Fa-f][0-9A-Fa-f])' "
    "}\n"
    "    http-request deny deny_status 400 if has_paths "
    "{ path -m reg '%([^0-9A-F]|.[^0-9A-F]|.?$)|\\x5C|/[.][.]?(;|%3B)' }\n"
    "    http-request set-var-fmt(txn.asked) %[var(txn.host)]%[path]/\n"
    "    acl has_parameters path -m sub ; %3B\n"
    "    http-request set-var(txn.bare) var(txn.asked) unless has_parameters\n"
    "    http-request set-var(txn.bare) var(txn.asked),regsub(;[^/]*,,g),regsub(%3B[^/]*,,g) "
    "if has_parameters\n";

static const char frontend_port_key[] = "    http-request set-var-fmt(txn.bare) :%[dst_port]/\n";

/* Two sets may share a route: each request is drawn for one of them. */
static const char frontend_route[] =
    "    http-request set-var(txn.key) var(txn.bare),regsub(//+,/,g)\n"
    "    http-request set-var(txn.route) var(txn.key),map_beg(r.map)\n"
    "    http-request set-var(txn.generation) var(txn.route),field(1,:),map_str(gen.map)\n"
    "    http-request set-var-fmt(txn.set) %[var(txn.generation)]:%[var(txn.route)]\n"
    "    http-request set-var(txn.to) var(txn.set),map_str(sets.map)\n"
    "    http-request set-var(txn.serves) var(txn.to),field(1,/)\n"
    "    http-request set-var(txn.backend) var(txn.serves),field(1,:)\n"
    "    http-request set-var(txn.share) var(txn.serves),field(3,:)\n"
    "    acl shared var(txn.share) -m found\n"
    "    http-request set-var(txn.drawn) rand(10000),sub(txn.share) if shared\n"
    "    http-request set-var(txn.backend) var(txn.serves),field(2,:) "
    "if shared { var(txn.drawn) -m int lt 0 }\n"
    "    http-request return status 404 content-type text/plain string \"no route\\n\" "
    "unless { var(txn.backend) -m found }\n";

/* A path that is a guarded one but for upper and lower case is no way around it, whichever of the two has
 * which. */
static const char frontend_guard[] =
    "    http-request set-var(txn.guard) var(txn.key),lower,map_beg(guard.map)\n"
    "    http-request deny deny_status 400 if { var(txn.guard) -m found } "
    "{ var(txn.route),field(2,:),lower,strcmp(txn.guard) lt 0 }\n";

/* What the route asks, as rules.h writes it. A rule that is not there lets nobody through. */
static const char frontend_rule[] =
    "    http-request set-var(txn.rule) var(txn.to),field(2,/)\n"
    "    acl ruled var(txn.rule) -m found\n"
    "    http-request set-var(txn.rules) var(txn.rule),map_str(rules.map) if ruled\n"
    "    http-request return status 503 content-type text/plain string \"no rule\\n\" "
    "if ruled !{ var(txn.rules) -m found }\n"
    "    http-request set-var(txn.access) var(txn.rules),field(1,:) if ruled\n"
    "    http-request set-var(txn.list) var(txn.rules),field(2,:) if ruled\n"
    "    http-request set-var(txn.limit) var(txn.rules),field(3,:) if ruled\n"
    "    http-request set-var(txn.headers) var(txn.rule),map_str(headers.map) if ruled\n";

static const char frontend_redirect[] =
    "    acl moved var(txn.access) -m str redirect\n"
    "    http-request set-var(txn.scheme) str(http) if moved\n"
    "    http-request set-var(txn.scheme) str(https) if moved trusted "
    "{ req.hdr(X-Forwarded-Proto) -m str https }\n"
    "    http-request set-var(txn.port) req.fhdr(host),port_only if moved\n"
    "    http-request set-var-fmt(txn.colon) :%[var(txn.port)] if moved { var(txn.port) -m int gt "
    "0 }\n"
    "    http-request redirect code 308 location "
    "%[var(txn.scheme)]://%[var(txn.rules),field(7,:)]%[var(txn.colon)]%[pathq] if moved\n";

/* An address as text is upper-case hex, 8 digits or 32. */
static const char frontend_access[] =
    "    http-request return status 403 content-type text/plain string \"denied\\n\" "
    "if { var(txn.access) -m str deny }\n"
    "    acl by_network var(txn.access) -m str ip\n"
    "    http-request set-var(txn.address) var(txn.client),hex,regsub(^0{20}FFFF,) if by_network\n"
    "    http-request set-var-fmt(txn.network) "
    "%[var(txn.list)]:%[var(txn.address),length]:%[var(txn.address)] if by_network\n"
    "    http-request return status 403 content-type text/plain string \"denied\\n\" "
    "if by_network !{ var(txn.network),map_beg(networks.map) -m found }\n";

/* So many in this window and, by their share that still counts, in the one before. Whoever is refused is not
 * counted. */
static const char frontend_limit[] =
    "    acl limited var(txn.limit) -m int gt 0\n"
    "    http-request set-var(txn.period) var(txn.rules),field(4,:) if limited\n"
    "    http-request set-var(txn.window) date(0,ms),div(txn.period) if limited\n"
    "    http-request set-var(txn.left) date(0,ms),mod(txn.period),neg,add(txn.period) if limited\n"
    "    http-request set-var(txn.window_before) var(txn.window),sub(1) if limited\n"
    "    http-request set-var-fmt(txn.counted) %[var(txn.rules),field(5,:)]:"
    "%[var(txn.client),ipmask(32,64)] if limited\n"
    "    http-request set-var-fmt(txn.now) %[var(txn.counted)]:%[var(txn.window)] if limited\n"
    "    http-request set-var-fmt(txn.before) %[var(txn.counted)]:%[var(txn.window_before)] "
    "if limited\n"
    "    http-request set-var(txn.n_before) var(txn.before),table_gpc0(rates),mul(txn.left),"
    "add(txn.period),sub(1),div(txn.period) if limited\n"
    "    http-request track-sc0 var(txn.now) table rates if limited\n"
    "    http-request set-var(txn.n_over) sc0_get_gpc0,add(txn.n_before),sub(txn.limit) if "
    "limited\n"
    "    http-request return status 429 content-type text/plain string \"too many requests\\n\" "
    "hdr Retry-After %[var(txn.left),div(1000),add(1)] if limited !{ var(txn.n_over) -m int lt 0 "
    "}\n"
    "    http-request sc-inc-gpc0(0) if limited\n";

/* A password is asked for once: the pass that follows it is ours to check, so that an application's own
 * Authorization comes through. The password itself does not. */
static const char frontend_basic[] =
    "    acl by_password var(txn.access) -m str basic\n"
    "    http-request set-var-fmt(txn.user) %[var(txn.list)]:%[http_auth_user] if by_password\n"
    "    http-request set-var(txn.credential) var(txn.user),map_str(users.map) if by_password\n"
    "    http-request set-var(txn.hash) var(txn.credential),field(2,:) if by_password\n"
    "    http-request set-var-fmt(txn.salted) %[var(txn.credential),field(1,:)]:%[http_auth_pass] "
    "if by_password\n"
    "    http-request set-var(txn.given) var(txn.salted),sha2(256),hex,lower if by_password\n"
    "    acl knows_password var(txn.given),secure_memcmp(txn.hash)\n"
    "    http-request set-var(txn.known) bool(true) if by_password knows_password\n"
    "    acl is_known var(txn.known) -m bool\n"
    "    http-request set-var(txn.pass_key) str(pass),map_str(keys.map) if by_password\n"
    "    http-request set-var-fmt(txn.claim) %[var(txn.list)]:%[var(txn.host)]:"
    "%[var(txn.pass),field(1,.)] if by_password\n"
    "    http-request set-var(txn.signed) var(txn.claim),hmac(sha256,txn.pass_key),hex,lower "
    "if by_password\n"
    "    http-request set-var(txn.until) var(txn.pass),field(1,.) if by_password\n"
    "    http-request set-var(txn.sign) var(txn.pass),field(2,.) if by_password\n"
    "    acl has_pass var(txn.sign),secure_memcmp(txn.signed)\n"
    "    http-request set-var(txn.passed) date,neg,add(txn.until) if by_password has_pass\n"
    "    acl is_passed var(txn.passed) -m int gt 0\n";

/* Whoever has a pass does not guess. Who guessed too often is refused before it is said whether this one was
 * right; what is refused is not counted, so an end comes soon after the last. */
static const char frontend_guess[] =
    "    http-request set-var-fmt(txn.guesser) %[var(txn.list)]:%[var(txn.client),ipmask(32,64)] "
    "if by_password !is_passed { req.hdr(Authorization) -m beg -i \"Basic \" }\n"
    "    acl guesses var(txn.guesser) -m found\n"
    "    http-request track-sc1 var(txn.guesser) table guesses if guesses\n"
    "    http-request return status 429 content-type text/plain string \"too many wrong "
    "passwords\\n\" "
    "hdr Retry-After " FRONTEND_GUESSES_S " if guesses "
    "{ sc1_gpc0_rate(guesses) ge " FRONTEND_GUESSES_MAX " }\n"
    "    http-request sc-inc-gpc0(1) if guesses !is_known\n"
    "    http-request return status 401 content-type text/plain string \"a password is asked "
    "for\\n\" "
    "hdr WWW-Authenticate 'Basic realm=\"%[var(txn.host)]\", charset=\"UTF-8\"' "
    "if by_password !is_known !is_passed\n";

static const char frontend_grant[] =
    "    http-request del-header Authorization if is_known\n"
    "    http-request set-var(txn.expires) date(43200) if is_known !is_passed\n"
    "    http-request set-var-fmt(txn.promise) "
    "%[var(txn.list)]:%[var(txn.host)]:%[var(txn.expires)] "
    "if is_known !is_passed\n"
    "    http-request set-var(txn.seal) var(txn.promise),hmac(sha256,txn.pass_key),hex,lower "
    "if is_known !is_passed\n"
    "    http-request set-var-fmt(txn.grant) %[var(txn.expires)].%[var(txn.seal)] "
    "if { var(txn.seal) -m found }\n";

static const char frontend_tables[] =
    "\nbackend rates\n"
    "    stick-table type string len 96 size 200k expire 48h store gpc0\n"
    "\nbackend guesses\n"
    "    stick-table type string len 96 size 100k expire " FRONTEND_GUESSES_S "s "
    "store gpc0,gpc0_rate(" FRONTEND_GUESSES_S "s)\n";

/* A cache before us would show what it kept of a guarded route to everybody. */
static const char frontend_answer[] =
    "    http-response lua.reeve_headers if { var(txn.headers) -m found }\n"
    "    http-response replace-header Set-Cookie '^.*" HAPROXY_PASS_COOKIE ".*$' "
    "'reeve-refused=; Max-Age=0'\n"
    "    acl guarded var(txn.access) -m str basic ip\n"
    "    http-response set-header Cache-Control private if guarded "
    "!{ res.fhdr(Cache-Control) -m found }\n"
    "    http-response set-header Cache-Control \"private, %[res.fhdr(Cache-Control)]\" "
    "if guarded !{ res.hdr(Cache-Control) -m beg -i private no-store }\n"
    "    http-response add-header Set-Cookie \"" HAPROXY_PASS_COOKIE "=%[var(txn.grant)]; Path=/; "
    "Max-Age=43200; Secure; HttpOnly; SameSite=Lax\" if { var(txn.grant) -m found }\n"
    "    http-response set-header Cache-Control \"private, no-store\" "
    "if { var(txn.grant) -m found }\n"
    "    http-after-response set-header X-Robots-Tag \"noindex, nofollow\" "
    "if { var(txn.rules),field(6,:) -m str noindex }\n";

/* Headers that name a client, a host, a scheme or another path: dropped and set anew, but a trusted proxy names
 * its client. */
static const char *const frontend_named[] = {
    "X-Forwarded- -m beg",
    "X-Original- -m beg",
    "X-Rewrite- -m beg",
    "X-Envoy- -m beg",
    "CF-Connecting- -m beg",
    "Forwarded",
    "Forwarded-For",
    "X-Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-ProxyUser-Ip",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Originating-IP",
    "X-Azure-ClientIP",
    "X-Azure-SocketIP",
    "True-Client-IP",
    "Client-IP",
    "Proxy-Client-IP",
    "WL-Proxy-Client-IP",
    "Fastly-Client-IP",
    "X-Host",
    "X-HTTP-Host-Override",
    "X-Scheme",
    "X-URL-Scheme",
    "Front-End-Https",
};

static const char frontend_forward[] =
    "    http-request del-header Proxy\n"
    "    http-request add-header X-Forwarded-For %[src]\n"
    "    http-request set-header X-Forwarded-Proto http "
    "unless trusted { req.hdr(X-Forwarded-Proto) -m found }\n"
    "    http-request set-header X-Forwarded-Host %[req.fhdr(host)] "
    "unless trusted { req.hdr(X-Forwarded-Host) -m found }\n"
    "    http-request set-header X-Forwarded-Port %[dst_port] "
    "unless trusted { req.hdr(X-Forwarded-Port) -m found }\n";

/* Nothing but a websocket is switched to, and to that alone where the application says so in its own way: one
 * that hands on somebody's status would open the connection to whatever comes behind it. */
static const char frontend_upgrade[] =
    "    http-request set-var(txn.websocket) bool(true) if { req.hdr(Upgrade) -i websocket }\n"
    "    http-request del-header Connection\n"
    "    http-request del-header Upgrade\n"
    "    http-request del-header HTTP2-Settings\n"
    "    acl websocket var(txn.websocket) -m bool\n"
    "    http-request set-header Connection Upgrade if websocket\n"
    "    http-request set-header Upgrade websocket if websocket\n"
    "    http-request set-var(txn.accept) "
    "req.hdr(Sec-WebSocket-Key),concat(258EAFA5-E914-47DA-95CA-C5AB0DC85B11),sha1,base64 "
    "if websocket\n"
    "    http-response deny deny_status 502 if { status 101 } "
    "!{ res.fhdr(Sec-WebSocket-Accept),strcmp(txn.accept) eq 0 }\n"
    "    use_backend %[var(txn.backend)]\n";

static void frontend_add_forward(struct sb *b)
{
    for (size_t i = 0; i < N_ELEMENTS(frontend_named); i++)
        sb_addf(b, "    http-request del-header %s unless trusted\n", frontend_named[i]);
    sb_add_c(b, frontend_forward);
    haproxy_latency_render_rules(b);
    sb_add_c(b, frontend_upgrade);
}

static void frontend_add_trusted(struct sb *b, const struct value *trusted)
{
    for (size_t i = 0; i < value_count(trusted); i++)
        sb_addf(b, " %.*s", STR_ARG(value_item(trusted, i)->u.text));
    sb_add_c(b, "\n");
}

static void frontend_acl(struct sb *b, const struct value *trusted)
{
    if (!value_count(trusted)) {
        sb_add_c(b, "    acl trusted always_false\n");
        return;
    }
    sb_add_c(b, "    acl trusted src");
    frontend_add_trusted(b, trusted);
}

/* Who asks: the first from the right that is no trusted proxy, as far as all behind it are. Whoever is named
 * by no address, or behind too many of them, is nobody. */
static void frontend_client(struct sb *b, const struct value *trusted)
{
    sb_add_c(b, "    http-request set-var(txn.client) src if ruled\n");
    for (int i = 1; value_count(trusted) && i <= FRONTEND_HOPS_MAX + 1; i++) {
        sb_addf(b, "    acl hop_%d var(txn.client) -m ip", i);
        frontend_add_trusted(b, trusted);
        sb_addf(b,
                "    http-request unset-var(txn.client) if hop_%d "
                "{ req.hdr(X-Forwarded-For,-%d) -m found }",
                i, i);
        if (i > FRONTEND_HOPS_MAX)
            sb_add_c(b, "\n");
        else
            sb_addf(b,
                    " !{ req.hdr_ip(X-Forwarded-For,-%d) -m found }\n"
                    "    http-request set-var(txn.client) req.hdr_ip(X-Forwarded-For,-%d) "
                    "if hop_%d\n",
                    i, i, i);
    }
}

/* No variable is written over by what is made of it: a converter that finds nothing would leave what a client
 * wrote where our answer belongs. */
void haproxy_frontend_render(struct sb *b, const struct haproxy_conf *conf)
{
    sb_addf(b, "\nfrontend http\n    bind %.*s\n", STR_ARG(conf->http));
    frontend_acl(b, conf->trusted);
    sb_add_c(b, frontend_check);
    sb_add_c(b, frontend_pass);
    sb_add_c(b, frontend_host_key);
    sb_add_c(b, frontend_route);
    sb_add_c(b, frontend_guard);
    sb_add_c(b, frontend_rule);
    sb_add_c(b, frontend_redirect);
    frontend_client(b, conf->trusted);
    sb_add_c(b, frontend_access);
    sb_add_c(b, frontend_limit);
    sb_add_c(b, frontend_basic);
    sb_add_c(b, frontend_guess);
    sb_add_c(b, frontend_grant);
    sb_add_c(b, frontend_answer);
    frontend_add_forward(b);
    sb_add_c(b, frontend_tables);
    haproxy_latency_render_table(b, conf->n_backends);

    if (!conf->internal_first)
        return;
    sb_addf(b, "\nfrontend internal\n    bind 127.0.0.1:%" PRId64 "-%" PRId64 "\n",
            conf->internal_first, conf->internal_last);
    frontend_acl(b, NULL);
    sb_add_c(b, frontend_check);
    sb_add_c(b, frontend_port_key);
    sb_add_c(b, frontend_route);
    frontend_add_forward(b);
}
