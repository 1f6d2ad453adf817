/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_s3.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/base64.h"
#include "base/guard.h"
#include "base/hash.h"

#define SEQ_MAX 999999999999999999 /* of 18 digits */
#define NAME_WORDS 6
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct str text_of(const struct value *v, const char *name)
{
    return value_get_text(v, str_from_c(name), S(""));
}

/* "PREFIX/" or "". */
static struct str prefix_of(struct arena *a, const struct value *config)
{
    struct str prefix = text_of(config, "prefix");

    return !prefix.n || str_ends(prefix, S("/")) ? prefix : str_fmt(a, "%.*s/", STR_ARG(prefix));
}

static struct str s3_name(struct arena *a, const struct value *config)
{
    struct str prefix = prefix_of(a, config);

    return str_fmt(a, "s3:%.*s/%.*s%s%.*s", STR_ARG(text_of(config, "provider")),
                   STR_ARG(text_of(config, "bucket")), prefix.n ? "/" : "",
                   STR_ARG(str_slice(prefix, 0, prefix.n - (prefix.n > 0))));
}

static struct str folder_of(const struct anchor_place *p, struct arena *a)
{
    return str_fmt(a, "%.*s%.*s/", STR_ARG(prefix_of(a, p->config)), STR_ARG(p->installation));
}

static int64_t lock_ms(const struct anchor_place *p)
{
    return value_get_int(p->config, S("object_lock"), 0);
}

/* --- names of objects ---------------------------------------------------------------------------- */

static struct str key_of_line(const struct anchor_place *p, struct arena *a,
                              const struct anchor_line *line)
{
    return str_fmt(a, "%.*s%018" PRId64 "-%" PRId64 "-%s-%" PRId64 "-%" PRId64 "-%s",
                   STR_ARG(folder_of(p, a)), SEQ_MAX - line->seq, line->seq,
                   digest_hex(a, &line->hash).p, line->epoch, line->time_ms,
                   digest_hex(a, &line->mac).p);
}

/* What a name says, as it stands in the object. -1: it is none of ours. */
static int line_of_key(const struct anchor_place *p, struct arena *a, struct str key,
                       struct str *ret)
{
    struct str folder = folder_of(p, a), words[NAME_WORDS], rest;
    struct anchor_line line;
    size_t n = 0;

    if (!str_starts(key, folder))
        return -1;
    rest = str_slice(key, folder.n, key.n);
    while (n < NAME_WORDS && str_next(&rest, '-', &words[n]))
        n++;
    if (n < NAME_WORDS || rest.p)
        return -1;
    *ret = str_fmt(a, "reeve/anchor/2 %.*s %.*s %.*s %.*s %.*s %.*s", STR_ARG(p->installation),
                   STR_ARG(words[1]), STR_ARG(words[2]), STR_ARG(words[3]), STR_ARG(words[4]),
                   STR_ARG(words[5]));
    return anchor_parse(*ret, &line) || line.stamp.p || !str_eq(key_of_line(p, a, &line), key) ? -1
                                                                                               : 0;
}

/* --- requests ------------------------------------------------------------------------------------ */

/* RFC 3986, as it is signed: a '/' in a path stays. */
static struct str escaped(struct arena *a, struct str text, const char *kept)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (plain || strchr(kept, c))
            sb_add_char(&b, (char)c);
        else
            sb_addf(&b, "%%%02X", c);
    }
    return sb_str(&b);
}

static struct str url_of(const struct anchor_place *p, struct arena *a, struct str key)
{
    struct str endpoint = text_of(p->provider, "endpoint");

    while (str_ends(endpoint, S("/")))
        endpoint.n--;
    return str_fmt(a, "%.*s/%.*s%s%.*s", STR_ARG(endpoint), STR_ARG(text_of(p->config, "bucket")),
                   key.n ? "/" : "", STR_ARG(escaped(a, key, "-_.~/")));
}

static int set_request(const struct anchor_place *p, struct anchor_round *r, const char *method,
                       struct str url, struct http_request *ret, struct err *err)
{
    struct str ca = value_get_text(p->config, S("ca_file"), STR_NONE);

    r->lists[0] = "x-amz-content-sha256: " SHA256_OF_NOTHING;
    *ret = (struct http_request){
        .sign = &r->sign,
        .method = method,
        .url = str_to_c(&r->own, url),
        .headers = r->lists,
        .ca_file = ca.p ? str_to_c(&r->own, ca) : NULL,
        .body_max = ANCHOR_S3_ANSWER_MAX,
        .timeout_ms = p->timeout_ms,
        .public_only = str_starts(url, S("https://")),
        .allowed = p->allowed,
        .n_allowed = p->n_allowed,
    };
    return arena_status(&r->own, err);
}

/* What is asked first: the newest of them. */
static int form_list(const struct anchor_place *p, struct anchor_round *r, struct err *err)
{
    struct arena *a = &r->own;
    struct str folder = escaped(a, folder_of(p, a), "-_.~"), url = url_of(p, a, S(""));

    url = lock_ms(p) ? str_fmt(a, "%.*s?max-keys=%d&prefix=%.*s&versions=", STR_ARG(url),
                               ANCHOR_S3_LISTED, STR_ARG(folder))
                     : str_fmt(a, "%.*s?list-type=2&max-keys=%d&prefix=%.*s", STR_ARG(url),
                               ANCHOR_S3_LISTED, STR_ARG(folder));
    return set_request(p, r, "GET", url, &r->http, err);
}

static int s3_sign_in(const struct anchor_place *p, struct secret_store *secrets,
                      struct anchor_round *r, struct err *err)
{
    struct str region = text_of(p->provider, "region"), id, key;

    if (str_find_char(region, ':') != STR_NPOS)
        return err_set(err, ERR_USAGE, "a region has no ':'");
    if (anchor_place_secret(secrets, value_get(p->provider, S("access_key")), &r->own, &id, err) ||
        anchor_place_secret(secrets, value_get(p->provider, S("secret_key")), &r->own, &key, err))
        return err->code;
    r->sign = (struct http_sign){ str_fmt(&r->own, "aws:amz:%.*s:s3", STR_ARG(region)).p,
                                  str_to_c(&r->own, id), str_to_c(&r->own, key) };
    return form_list(p, r, err);
}

/* --- what it has --------------------------------------------------------------------------------- */

/* The store's word of what is wrong, a word of letters; its sentence is foreign. */
static struct str code_of(struct str body)
{
    const char *at = body.n ? memmem(body.p, body.n, "<Code>", 6) : NULL;
    struct str word = { at ? at + 6 : "", 0 };

    while (at && word.p + word.n < body.p + body.n && word.n < 64 &&
           ((word.p[word.n] | 0x20) >= 'a' && (word.p[word.n] | 0x20) <= 'z'))
        word.n++;
    return word;
}

static int judge_status(const struct http_reply *reply, struct err *err)
{
    struct str code = code_of(reply->body);

    if (reply->status == 200)
        return reply->body_dropped ? err_set(err, ERR_LIMIT, "the answer is larger than %u bytes",
                                             ANCHOR_S3_ANSWER_MAX)
                                   : 0;
    return err_set(err, reply->status == 403 ? ERR_REFUSED : ERR_UNREACHABLE,
                   "the store answers with status %d%s%.*s", reply->status, code.n ? ": " : "",
                   STR_ARG(code));
}

static void s3_read(const struct anchor_place *p, struct anchor_round *r, struct task *t,
                    struct str known)
{
    (void)p; /* as it was formed */
    r->known = known;
    r->reply = (struct http_reply){ 0 };
    wait_http_start(t, &r->http, &r->own, &r->reply);
}

/* What stands between <NAME> and </NAME>; the rest follows. 0: none does. */
static int next_part(struct arena *a, struct str *rest, const char *name, struct str *ret)
{
    struct str open = str_fmt(a, "<%s>", name), close = str_fmt(a, "</%s>", name);
    const char *from = rest->n && open.n ? memmem(rest->p, rest->n, open.p, open.n) : NULL, *to;
    size_t at = from ? (size_t)(from - rest->p) + open.n : 0;

    to = from ? memmem(rest->p + at, rest->n - at, close.p, close.n) : NULL;
    if (!to)
        return 0;
    *ret = str_slice(*rest, at, (size_t)(to - rest->p) - at);
    *rest = str_slice(*rest, (size_t)(to - rest->p) + close.n, rest->n);
    return 1;
}

static struct str part_of(struct arena *a, struct str of, const char *name)
{
    struct str found;

    return next_part(a, &of, name, &found) ? found : STR_NONE;
}

struct listing {
    struct str newest, last; /* keys */
    int has_known;
    struct sb lines;
};

static int list_one(const struct anchor_place *p, struct anchor_round *r, struct str object,
                    struct listing *l, struct err *err)
{
    struct str key = part_of(&r->own, object, "Key"), line;
    int64_t size;

    if (!key.p || str_to_i64(part_of(&r->own, object, "Size"), &size))
        return err_set(err, ERR_IO, "the store's answer is no list of objects");
    if (line_of_key(p, &r->own, key, &line))
        return err_set(err, ERR_CONFLICT, "somebody wrote there what is no anchor");
    if (size != (int64_t)line.n + 1 || (l->last.p && str_eq(key, l->last)))
        return err_set(err, ERR_CONFLICT, "somebody wrote over an object that was brought there");
    if (!l->newest.p)
        l->newest = key;
    l->last = key;
    l->has_known |= r->known.p && str_eq(key, r->known);
    sb_addf(&l->lines, "%.*s\n", STR_ARG(line));
    return 0;
}

static int s3_read_parse(const struct anchor_place *p, struct anchor_round *r, struct err *err)
{
    const char *all = lock_ms(p) ? "ListVersionsResult" : "ListBucketResult";
    const char *one = lock_ms(p) ? "Version" : "Contents";
    struct str body = r->reply.body, object;
    struct listing l = { .newest = STR_NONE };
    struct str end = str_fmt(&r->own, "</%s>", all);

    if (judge_status(&r->reply, err))
        return err->code;
    if (!body.n || !memmem(body.p, body.n, end.p, end.n))
        return err_set(err, ERR_IO, "the store's answer is no list of objects");
    if (memmem(body.p, body.n, "<DeleteMarker>", 14))
        return err_set(err, ERR_CONFLICT, "somebody deleted what was brought there");
    sb_init(&l.lines, &r->own);
    while (next_part(&r->own, &body, one, &object))
        if (list_one(p, r, object, &l, err))
            return err->code;
    if (r->known.p && !l.has_known)
        return err_set(err, ERR_CONFLICT, "what was brought there last is not there any more");
    r->there = (struct anchor_git_there){ l.newest, sb_str(&l.lines) };
    return arena_status(&r->own, err);
}

/* --- one more ------------------------------------------------------------------------------------ */

static struct str utc(struct arena *a, int64_t ms)
{
    time_t at = (time_t)(ms / 1000);
    char text[32] = "";
    struct tm t;

    if (!gmtime_r(&at, &t) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &t))
        return S("");
    return str_copy(a, str_from_c(text));
}

static void form_headers(const struct anchor_place *p, struct anchor_round *r, struct str body)
{
    struct arena *a = &r->own;
    struct digest d = hash_bytes(body);
    size_t n = 0;

    r->headers[n++] = "Content-Type: text/plain";
    r->headers[n++] = str_fmt(a, "x-amz-content-sha256: %s", digest_hex(a, &d).p).p;
    if (lock_ms(p)) {
        struct str sum = base64_encode(a, (struct str){ (const char *)d.b, DIGEST_BYTES });

        r->headers[n++] = str_fmt(a, "x-amz-checksum-sha256: %.*s", STR_ARG(sum)).p;
        r->headers[n++] = "x-amz-object-lock-mode: COMPLIANCE";
        r->headers[n++] = str_fmt(a, "x-amz-object-lock-retain-until-date: %.*s",
                                  STR_ARG(utc(a, r->time_ms + lock_ms(p))))
                              .p;
    }
    r->headers[n] = NULL;
}

static int s3_form(const struct anchor_place *p, struct anchor_round *r, struct err *err)
{
    struct anchor_line line;
    struct str url;

    PRE(!anchor_parse(r->line, &line)); /* we made it */
    r->key = key_of_line(p, &r->own, &line);
    url = url_of(p, &r->own, r->key);
    if (set_request(p, r, "PUT", url, &r->http, err) ||
        set_request(p, r, "HEAD", url, &r->look, err))
        return err->code;
    r->http.body = str_fmt(&r->own, "%.*s\n", STR_ARG(r->line));
    r->http.headers = r->headers;
    form_headers(p, r, r->http.body);
    r->reply = r->looked = (struct http_reply){ 0 };
    return arena_status(&r->own, err);
}

static void s3_push(const struct anchor_place *p, struct anchor_round *r, struct task *t)
{
    (void)p; /* as it was formed */
    wait_http_start(t, &r->http, &r->own, &r->reply);
}

static int s3_prove(const struct anchor_place *p, struct anchor_round *r, struct task *t)
{
    if (!lock_ms(p) || r->reply.status != 200)
        return 0;
    wait_http_start(t, &r->look, &r->own, &r->looked);
    return 1;
}

static struct str header_of(struct str headers, struct str name)
{
    struct str line;

    while (str_next(&headers, '\n', &line))
        if (line.n > name.n && line.p[name.n] == ':' && !strncasecmp(line.p, name.p, name.n))
            return str_trim(str_slice(line, name.n + 1, line.n));
    return STR_NONE;
}

/* Some write fractions of a second, too. */
static int is_locked(const struct anchor_place *p, struct anchor_round *r)
{
    struct str until = header_of(r->looked.headers, S("x-amz-object-lock-retain-until-date"));
    struct str wanted = utc(&r->own, r->time_ms + lock_ms(p));

    return r->looked.status == 200 &&
           str_eq(header_of(r->looked.headers, S("x-amz-object-lock-mode")), S("COMPLIANCE")) &&
           wanted.n && until.n >= wanted.n &&
           str_cmp(str_slice(until, 0, wanted.n - 1), str_slice(wanted, 0, wanted.n - 1)) >= 0;
}

static int s3_push_parse(const struct anchor_place *p, struct anchor_round *r, int64_t now_ms,
                         struct str *ret_proof, struct err *err)
{
    (void)now_ms; /* a store proves no time */
    if (judge_status(&r->reply, err))
        return err->code;
    if (lock_ms(p) && !is_locked(p, r))
        return err_set(err, ERR_CONFLICT,
                       "the store does not say that it locks what is written there (object_lock)");
    *ret_proof = r->key;
    return 0;
}

const struct anchor_kind anchor_s3_kind = {
    .word = "s3",
    .name = s3_name,
    .sign_in = s3_sign_in,
    .read = s3_read,
    .read_parse = s3_read_parse,
    .form = s3_form,
    .push = s3_push,
    .prove = s3_prove,
    .push_parse = s3_push_parse,
};
