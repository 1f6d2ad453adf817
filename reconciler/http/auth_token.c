/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/auth_token.h"

#include <sodium.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/view.h"
#include "specs/json_io.h"
#include "specs/scalar.h"

#define ID_AT (sizeof(AUTH_TOKEN_BEGIN) - 1)
#define SECRET_AT (ID_AT + 2 * AUTH_TOKEN_ID_BYTES + 1)

static void token_hash(const unsigned char *secret, struct digest *ret)
{
    _Static_assert(sizeof(ret->b) == crypto_generichash_BYTES, "BLAKE2b-256 is a digest");

    (void)crypto_generichash(ret->b, sizeof(ret->b), secret, AUTH_TOKEN_SECRET_BYTES, NULL,
                             0); /* fails for sizes alone, which are constants */
}

/* --- one is made --------------------------------------------------------------------------------- */

static struct str hex_of(struct arena *a, const unsigned char *bytes, size_t n)
{
    char *text = arena_alloc(a, 2 * n + 1);

    return text ? (struct str){ sodium_bin2hex(text, 2 * n + 1, bytes, n), 2 * n } : S("");
}

static void token_draw(struct arena *a, struct rec_token *row, struct str *ret_text)
{
    unsigned char id[AUTH_TOKEN_ID_BYTES], secret[AUTH_TOKEN_SECRET_BYTES];

    sys_random(id, sizeof(id));
    sys_random(secret, sizeof(secret));
    row->id = hex_of(a, id, sizeof(id));
    token_hash(secret, &row->hash);
    *ret_text = str_fmt(a, AUTH_TOKEN_BEGIN "%.*s_%.*s", STR_ARG(row->id),
                        STR_ARG(hex_of(a, secret, sizeof(secret))));
    sodium_memzero(secret, sizeof(secret));
}

/* All of these, everywhere: a token may reach everything. */
static int has_all(const struct auth_actor *by, unsigned roles)
{
    if (roles & AUTH_SCRAPE)
        roles |= AUTH_VIEWER; /* which may read all that it reads */
    for (unsigned one = AUTH_VIEWER; one <= AUTH_OVERRIDE; one <<= 1)
        if (roles & one && !auth_may(by, one, STR_NONE))
            return 0;
    return 1;
}

static int read_roles(struct arena *a, const struct auth_actor *by, const struct value *list,
                      struct str *ret, struct err *err)
{
    struct sb words;

    sb_init(&words, a);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);
        unsigned roles = value_is(one, VALUE_TEXT) ? auth_roles_of(one->u.text) : 0;

        if (!roles)
            return err_set(err, ERR_USAGE,
                           "a role is viewer, operator, approver, admin, override or scrape");
        if (!has_all(by, roles))
            return err_set(err, ERR_REFUSED, "%.*s may not give the role %.*s without having it",
                           STR_ARG(by->name), STR_ARG(one->u.text));
        sb_addf(&words, "%s%.*s", i ? " " : "", STR_ARG(one->u.text));
    }
    *ret = value_count(list) ? sb_str(&words) : S("viewer");
    return 0;
}

/* An empty list would be a token that reaches nothing: it was meant otherwise. */
static int read_scope(struct arena *a, const struct value *list, struct str *ret, struct err *err)
{
    int64_t unused;

    *ret = S("");
    if (!list)
        return 0;
    if (!value_count(list) || value_count(list) > AUTH_TOKEN_PATTERNS_MAX)
        return err_set(err, ERR_USAGE, "'environments' has 1 to %d names and patterns",
                       AUTH_TOKEN_PATTERNS_MAX);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);

        if (!value_is(one, VALUE_TEXT) || scalar_read(SCALAR_NAME_GLOB, one->u.text, &unused))
            return err_set(err, ERR_USAGE,
                           "'environments' has names, in which '*' may stand for any part");
    }
    *ret = json_format(a, list);
    return 0;
}

int auth_token_make(struct arena *a, const struct auth_actor *by, const struct value *body,
                    int64_t now_ms, struct rec_token *ret, struct str *ret_text, struct err *err)
{
    struct rec_token row = { .name = value_get_text(body, S("name"), S("")),
                             .expires_ms = value_get_int(body, S("expires_ms"), REC_NONE),
                             .revoked_ms = REC_NONE };
    int64_t unused;

    if (scalar_read(SCALAR_NAME, row.name, &unused))
        return err_set(err, ERR_USAGE, "'%.*s' is not a name for a token", STR_ARG(row.name));
    if (row.expires_ms != REC_NONE && row.expires_ms <= now_ms)
        return err_set(err, ERR_USAGE, "'expires_ms' is over already");
    if (read_roles(a, by, value_get(body, S("roles")), &row.roles, err) ||
        read_scope(a, value_get(body, S("environments")), &row.scope, err))
        return err->code;
    token_draw(a, &row, ret_text);
    *ret = row;
    return arena_status(a, err);
}

/* --- one is shown -------------------------------------------------------------------------------- */

struct token_shown {
    struct str id;
    unsigned char secret[AUTH_TOKEN_SECRET_BYTES];
    int is_whole;
};

/* What cannot be read goes on as a token that nobody has. */
static void token_read(struct str text, struct token_shown *ret)
{
    size_t n = 0;

    *ret = (struct token_shown){ .id = S("") };
    ret->is_whole = text.n == AUTH_TOKEN_CHARS && str_starts(text, S(AUTH_TOKEN_BEGIN)) &&
                    text.p[SECRET_AT - 1] == '_' &&
                    !sodium_hex2bin(ret->secret, sizeof(ret->secret), text.p + SECRET_AT,
                                    2 * sizeof(ret->secret), NULL, &n, NULL) &&
                    n == sizeof(ret->secret);
    if (ret->is_whole)
        ret->id = str_slice(text, ID_AT, 2 * AUTH_TOKEN_ID_BYTES);
}

struct token_known {
    struct rec_token row;
    int64_t epoch;
    int is_there, is_noted;
};

/* Always the same three questions. */
static int token_find(struct arena *a, struct db *db, int64_t now_ms, struct str id,
                      struct token_known *ret, struct err *err)
{
    struct rec_token_use *uses;
    struct rec_token *rows;
    size_t n, n_uses;

    *ret = (struct token_known){ 0 };
    if (view_token_epoch(db, a, &ret->epoch, err) ||
        DB_SELECT(db, a, token, "WHERE id = $1", &rows, &n, err, DB_T(id)) ||
        DB_SELECT(db, a, token_use, "WHERE id = $1", &uses, &n_uses, err, DB_T(id)))
        return err->code;
    ret->is_there = n == 1;
    if (n)
        ret->row = rows[0];
    ret->is_noted = n_uses && uses[0].used_ms <= now_ms &&
                    now_ms - uses[0].used_ms < VIEW_TOKEN_USE_MS;
    return 0;
}

/* Of who has shown the secret. */
static int token_judge(const struct token_known *known, int64_t now_ms, struct err *err)
{
    const struct rec_token *row = &known->row;

    if (row->revoked_ms != REC_NONE)
        return err_set(err, ERR_UNKNOWN_ACTOR, "the token was revoked");
    if (row->epoch != known->epoch)
        return err_set(err, ERR_UNKNOWN_ACTOR, "the token is of a database that was lost");
    if (row->expires_ms != REC_NONE && row->expires_ms <= now_ms)
        return err_set(err, ERR_UNKNOWN_ACTOR, "the token has expired");
    return 0;
}

static int token_actor(struct arena *a, const struct token_known *known, struct auth_actor *ret,
                       struct err *err)
{
    const struct rec_token *row = &known->row;
    struct str rest = row->roles, role;
    struct value *scope;

    *ret = (struct auth_actor){ .kind = AUTH_TOKEN,
                                .token = row->id,
                                .until_ms = row->expires_ms == REC_NONE ? 0 : row->expires_ms,
                                .is_noted = known->is_noted,
                                .name = str_fmt(a, "token:%.*s(%.*s)", STR_ARG(row->name),
                                                STR_ARG(row->id)) };
    while (str_next(&rest, ' ', &role))
        ret->roles |= auth_roles_of(role);
    if (row->scope.n && json_parse(a, row->scope, row->scope.n, &scope, err))
        return err_wrap(err, "token '%.*s'", STR_ARG(row->id));
    ret->scope = row->scope.n ? scope : NULL;
    return arena_status(a, err);
}

int auth_token_check(struct arena *a, struct db *db, int64_t now_ms, struct str text,
                     struct auth_actor *ret, struct err *err)
{
    static const struct digest nobody; /* no secret is known that gives it */
    struct token_shown shown;
    struct token_known known;
    struct digest hash;
    int is_same;

    token_read(text, &shown);
    token_hash(shown.secret, &hash);
    sodium_memzero(shown.secret, sizeof(shown.secret));
    if (token_find(a, db, now_ms, shown.id, &known, err))
        return err->code;
    is_same = !sodium_memcmp(hash.b, known.is_there ? known.row.hash.b : nobody.b, sizeof(hash.b));
    if (!is_same || !known.is_there || !shown.is_whole)
        return err_set(err, ERR_UNKNOWN_ACTOR, "no such token");
    if (token_judge(&known, now_ms, err))
        return err->code;
    return token_actor(a, &known, ret, err);
}
