/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/tls.h"

#include <gnutls/x509.h>
#include <string.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"

#define KEY_ID_MAX 64

struct tls {
    struct arena arena;
    struct str certificate, key; /* their files */
    struct tls_shown *now;
};

static void shown_free(struct tls_shown *s)
{
    for (unsigned i = 0; i < s->n_chain; i++)
        gnutls_pcert_deinit(&s->chain[i]);
    if (s->key)
        gnutls_privkey_deinit(s->key);
    alloc_free(s);
}

static int refuse(struct err *err, struct str path, int code)
{
    return err_set(err, ERR_INVALID, "'%.*s': %s", STR_ARG(path), gnutls_strerror(code));
}

static int read_pem(struct arena *a, struct str path, gnutls_datum_t *ret, struct err *err)
{
    struct str text;
    int rc = sys_read_file(a, str_to_c(a, path), TLS_FILE_MAX, &text, err);

    if (!rc) /* GnuTLS does not write through it */
        *ret = (gnutls_datum_t){ (unsigned char *)(uintptr_t)text.p, (unsigned)text.n };
    return rc;
}

static int read_chain(struct arena *a, const struct tls *t, struct tls_shown *s, struct err *err)
{
    unsigned n = TLS_CHAIN_MAX;
    gnutls_datum_t pem;
    int rc = read_pem(a, t->certificate, &pem, err);

    if (rc)
        return rc;
    rc = gnutls_pcert_list_import_x509_raw(s->chain, &n, &pem, GNUTLS_X509_FMT_PEM,
                                           GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (rc < 0)
        return refuse(err, t->certificate, rc);
    s->n_chain = n;
    return 0;
}

static int read_key(struct arena *a, const struct tls *t, struct tls_shown *s, struct err *err)
{
    gnutls_datum_t pem;
    int rc = read_pem(a, t->key, &pem, err);

    if (rc)
        return rc;
    rc = gnutls_privkey_init(&s->key);
    if (!rc)
        rc = gnutls_privkey_import_x509_raw(s->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    return rc ? refuse(err, t->key, rc) : 0;
}

/* A key of another certificate would end every handshake. */
static int check_pair(const struct tls *t, struct tls_shown *s, struct err *err)
{
    unsigned char ids[2][KEY_ID_MAX];
    size_t sizes[2] = { KEY_ID_MAX, KEY_ID_MAX };
    gnutls_pubkey_t own;
    int rc = gnutls_pubkey_init(&own);

    if (rc)
        return err_set(err, ERR_NOMEM, "tls: out of memory");
    rc = gnutls_pubkey_import_privkey(own, s->key, 0, 0);
    if (!rc)
        rc = gnutls_pubkey_get_key_id(own, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]);
    if (!rc)
        rc = gnutls_pubkey_get_key_id(s->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[1],
                                      &sizes[1]);
    gnutls_pubkey_deinit(own);
    if (rc)
        return refuse(err, t->key, rc);
    if (sizes[0] != sizes[1] || memcmp(ids[0], ids[1], sizes[0]) != 0)
        return err_set(err, ERR_INVALID, "'%.*s' is not the key of '%.*s'", STR_ARG(t->key),
                       STR_ARG(t->certificate));
    return 0;
}

/* Its life is not over yet, or we say so. */
static void tell_end(const struct tls *t, struct tls_shown *s)
{
    gnutls_x509_crt_t first;
    int64_t ends_ms;

    if (gnutls_pcert_export_x509(&s->chain[0], &first))
        return;
    ends_ms = (int64_t)gnutls_x509_crt_get_expiration_time(first) * 1000;
    gnutls_x509_crt_deinit(first);
    if (ends_ms < sys_wall_ms())
        LOG(LOG_ERROR, "the certificate of the API has expired and is served on",
            LOG_S("file", t->certificate));
}

static int load(struct tls *t, struct tls_shown **ret, struct err *err)
{
    struct tls_shown *s = alloc_zero(sizeof(*s));
    AUTO_WIPED_ARENA struct arena a;
    int rc;

    arena_init(&a, 0);
    if (!s)
        return err_set(err, ERR_NOMEM, "tls: out of memory");
    rc = read_chain(&a, t, s, err);
    if (!rc)
        rc = read_key(&a, t, s, err);
    if (!rc)
        rc = check_pair(t, s, err);
    if (rc) {
        shown_free(s);
        return err_wrap(err, "certificate");
    }
    tell_end(t, s);
    s->n_users = 1;
    *ret = s;
    return 0;
}

int tls_open(struct str certificate, struct str key, struct tls **ret, struct err *err)
{
    struct tls *t = alloc_zero(sizeof(*t));
    int rc;

    if (!t)
        return err_set(err, ERR_NOMEM, "tls: out of memory");
    arena_init(&t->arena, 0);
    t->certificate = str_copy(&t->arena, certificate);
    t->key = str_copy(&t->arena, key);
    rc = load(t, &t->now, err);
    if (rc) {
        tls_close(t);
        return rc;
    }
    *ret = t;
    return 0;
}

int tls_reload(struct tls *t, struct err *err)
{
    struct tls_shown *next;
    int rc = load(t, &next, err);

    if (rc)
        return rc;
    tls_give(t->now);
    t->now = next;
    return 0;
}

void tls_close(struct tls *t)
{
    if (!t)
        return;
    tls_give(t->now);
    arena_fini(&t->arena);
    alloc_free(t);
}

struct tls_shown *tls_take(struct tls *t)
{
    t->now->n_users++;
    return t->now;
}

void tls_give(struct tls_shown *shown)
{
    if (shown && !--shown->n_users)
        shown_free(shown);
}
