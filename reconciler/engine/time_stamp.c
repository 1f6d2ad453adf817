/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/time_stamp.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <time.h>

#include "base/guard.h"
#include "base/hash.h"

#define AUTHORITY_CERTIFICATES_MAX 64

/* The library's own reason, and what it was about. It keeps the first one: the others are of those who called. */
static int fail(struct err *err, int code, const char *what)
{
    const char *about = NULL;
    int flags = 0;
    unsigned long first = ERR_get_error_all(NULL, NULL, NULL, &about, &flags);
    const char *reason = first ? ERR_reason_error_string(first) : NULL;

    if (reason && about && (flags & ERR_TXT_STRING) && *about)
        (void)err_set(err, code, "%s: %s: %s", what, reason, about);
    else
        (void)err_set(err, code, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return code;
}

static int out_of_memory(struct err *err)
{
    ERR_clear_error();
    return err_set(err, ERR_NOMEM, "out of memory");
}

/* --- what is asked ------------------------------------------------------------------------------- */

static int request_set_text(TS_REQ *request, struct str text)
{
    TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
    X509_ALGOR *sha256 = X509_ALGOR_new();
    struct digest d = hash_bytes(text);
    int ok = imprint && sha256 &&
             X509_ALGOR_set0(sha256, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
             TS_MSG_IMPRINT_set_algo(imprint, sha256) &&
             TS_MSG_IMPRINT_set_msg(imprint, d.b, DIGEST_BYTES) &&
             TS_REQ_set_msg_imprint(request, imprint);

    X509_ALGOR_free(sha256);
    TS_MSG_IMPRINT_free(imprint); /* copied */
    return ok;
}

static int request_set_nonce(TS_REQ *request, const uint8_t *nonce)
{
    BIGNUM *number = BN_bin2bn(nonce, TIME_STAMP_NONCE_BYTES, NULL);
    ASN1_INTEGER *integer = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    int ok = integer && TS_REQ_set_nonce(request, integer);

    ASN1_INTEGER_free(integer); /* copied */
    BN_free(number);
    return ok;
}

/* `nonce` NULL: none. */
static TS_REQ *request_new(struct str text, const uint8_t *nonce)
{
    TS_REQ *request = TS_REQ_new();

    if (request && TS_REQ_set_version(request, 1) && request_set_text(request, text) &&
        (!nonce || request_set_nonce(request, nonce)) && TS_REQ_set_cert_req(request, 1))
        return request;
    TS_REQ_free(request);
    return NULL;
}

static int keep(struct arena *a, uint8_t *der, int n, struct str *ret, struct err *err)
{
    if (n <= 0)
        return out_of_memory(err);
    *ret = str_copy(a, (struct str){ (const char *)der, (size_t)n });
    OPENSSL_free(der);
    return arena_status(a, err);
}

int time_stamp_ask(struct arena *a, struct str text, const uint8_t nonce[TIME_STAMP_NONCE_BYTES],
                   struct str *ret_request, struct err *err)
{
    TS_REQ *request = request_new(text, nonce);
    uint8_t *der = NULL;
    int n = request ? i2d_TS_REQ(request, &der) : 0;

    TS_REQ_free(request);
    return keep(a, der, n, ret_request, err);
}

/* --- whom is believed ---------------------------------------------------------------------------- */

static int read_certificates(X509_STORE *store, struct str authority, struct err *err)
{
    BIO *in = authority.n <= TIME_STAMP_BYTES_MAX ? BIO_new_mem_buf(authority.p, (int)authority.n)
                                                  : NULL;
    int n = 0, ok = in != NULL;

    while (ok && n <= AUTHORITY_CERTIFICATES_MAX) {
        X509 *one = PEM_read_bio_X509(in, NULL, NULL, NULL);

        if (!one)
            break;
        ok = X509_STORE_add_cert(store, one);
        X509_free(one);
        n++;
    }
    ok &= ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; /* the end of the file */
    BIO_free(in);
    if (!ok || !n || n > AUTHORITY_CERTIFICATES_MAX)
        return fail(err, ERR_USAGE, "the authority's certificates cannot be read (PEM)");
    ERR_clear_error();
    return 0;
}

/* As it was when the time stamp was made: who signs is replaced every few years, and what it signed stands. */
static int open_store(struct str authority, int64_t at_ms, X509_STORE **ret, struct err *err)
{
    X509_STORE *store = X509_STORE_new();
    X509_VERIFY_PARAM *param = store ? X509_STORE_get0_param(store) : NULL;
    int rc;

    if (!param)
        return out_of_memory(err);
    X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
    (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN); /* the file may pin any */
    rc = read_certificates(store, authority, err);
    if (rc)
        X509_STORE_free(store);
    else
        *ret = store;
    return rc;
}

int time_stamp_check_authority(struct str authority, struct err *err)
{
    X509_STORE *store;

    ERR_clear_error();
    if (open_store(authority, 0, &store, err))
        return err->code;
    X509_STORE_free(store);
    return 0;
}

static int told_ms(TS_TST_INFO *info, int64_t *ret)
{
    struct tm t;
    time_t at;

    if (!info || !ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &t))
        return -1;
    at = timegm(&t);
    *ret = (int64_t)at * 1000;
    return at < 0 ? -1 : 0;
}

/* What has to be as it was asked for: digest, nonce where there is one, version; and the signature. */
static TS_VERIFY_CTX *open_check(TS_REQ *request, X509_STORE *take_store)
{
    TS_VERIFY_CTX *check = TS_REQ_to_TS_VERIFY_CTX(request, NULL);

    if (!check) {
        X509_STORE_free(take_store);
        return NULL;
    }
    (void)TS_VERIFY_CTX_add_flags(check, TS_VFY_SIGNATURE);
    (void)TS_VERIFY_CTX_set_store(check, take_store);
    return check;
}

/* `answer` NULL: the token alone. */
static int judge(struct str authority, TS_REQ *request, TS_RESP *answer, PKCS7 *token,
                 TS_TST_INFO *info, int64_t *ret_at_ms, struct err *err)
{
    TS_VERIFY_CTX *check;
    X509_STORE *store;
    int ok;

    if (told_ms(info, ret_at_ms))
        return fail(err, ERR_CONFLICT, "the time stamp tells no time");
    if (open_store(authority, *ret_at_ms, &store, err))
        return err->code;
    check = open_check(request, store);
    if (!check)
        return out_of_memory(err);
    ok = answer ? TS_RESP_verify_response(check, answer) : TS_RESP_verify_token(check, token);
    TS_VERIFY_CTX_free(check);
    return ok == 1 ? 0 : fail(err, ERR_CONFLICT, "the time stamp does not hold");
}

static int keep_token(struct arena *a, PKCS7 *token, struct time_stamp *ret, struct err *err)
{
    uint8_t *der = NULL;
    int n = i2d_PKCS7(token, &der);

    return keep(a, der, n, &ret->token, err);
}

/* --- what came ----------------------------------------------------------------------------------- */

static TS_REQ *read_request(struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p;

    return d2i_TS_REQ(NULL, &p, (long)bytes.n);
}

/* Nothing stands behind it. */
static TS_RESP *read_answer(struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    TS_RESP *answer = bytes.n <= TIME_STAMP_BYTES_MAX ? d2i_TS_RESP(NULL, &p, (long)bytes.n) : NULL;

    if (answer && p == end)
        return answer;
    TS_RESP_free(answer);
    return NULL;
}

static PKCS7 *read_token(struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    PKCS7 *token = bytes.n <= TIME_STAMP_BYTES_MAX ? d2i_PKCS7(NULL, &p, (long)bytes.n) : NULL;

    if (token && p == end)
        return token;
    PKCS7_free(token);
    return NULL;
}

/* Its own text is foreign, and its words say it all. */
static int refused(TS_RESP *answer, struct err *err)
{
    static const struct {
        int bit;
        const char *word;
    } rows[] = { { TS_INFO_BAD_ALG, "badAlg" },
                 { TS_INFO_BAD_REQUEST, "badRequest" },
                 { TS_INFO_BAD_DATA_FORMAT, "badDataFormat" },
                 { TS_INFO_TIME_NOT_AVAILABLE, "timeNotAvailable" },
                 { TS_INFO_UNACCEPTED_POLICY, "unacceptedPolicy" },
                 { TS_INFO_UNACCEPTED_EXTENSION, "unacceptedExtension" },
                 { TS_INFO_ADD_INFO_NOT_AVAILABLE, "addInfoNotAvailable" },
                 { TS_INFO_SYSTEM_FAILURE, "systemFailure" } };
    const TS_STATUS_INFO *info = TS_RESP_get_status_info(answer);
    const ASN1_BIT_STRING *bits = info ? TS_STATUS_INFO_get0_failure_info(info) : NULL;
    const char *why = "it does not say why";

    for (size_t i = 0; bits && i < N_ELEMENTS(rows); i++)
        if (ASN1_BIT_STRING_get_bit(bits, rows[i].bit))
            why = rows[i].word;
    return err_set(err, ERR_REFUSED, "the authority gives no time stamp: %s", why);
}

int time_stamp_take(struct arena *a, struct str authority, struct str request, struct str answer,
                    struct time_stamp *ret, struct err *err)
{
    TS_REQ *asked = read_request(request);
    TS_RESP *came = read_answer(answer);
    struct time_stamp stamp;
    int rc = 0;

    if (!asked)
        rc = out_of_memory(err);
    else if (!came)
        rc = err_set(err, ERR_REFUSED, "the answer is no answer of a time stamp authority");
    ERR_clear_error();
    if (!rc && !TS_RESP_get_token(came))
        rc = refused(came, err);
    if (!rc)
        rc = judge(authority, asked, came, NULL, TS_RESP_get_tst_info(came), &stamp.at_ms, err);
    if (!rc)
        rc = keep_token(a, TS_RESP_get_token(came), &stamp, err);
    TS_RESP_free(came);
    TS_REQ_free(asked);
    if (!rc)
        *ret = stamp;
    return rc;
}

int time_stamp_check(struct arena *a, struct str authority, struct str text, struct str token,
                     struct time_stamp *ret, struct err *err)
{
    PKCS7 *read = read_token(token);
    TS_REQ *asked = request_new(text, NULL);
    struct time_stamp stamp;
    TS_TST_INFO *info;
    int rc;

    ERR_clear_error();
    info = read && PKCS7_type_is_signed(read) ? PKCS7_to_TS_TST_INFO(read) : NULL;
    if (!asked)
        rc = out_of_memory(err);
    else if (!info)
        rc = fail(err, ERR_CONFLICT, "this is no time stamp");
    else
        rc = judge(authority, asked, NULL, read, info, &stamp.at_ms, err);
    if (!rc)
        rc = keep_token(a, read, &stamp, err);
    TS_TST_INFO_free(info);
    TS_REQ_free(asked);
    PKCS7_free(read);
    if (!rc)
        *ret = stamp;
    return rc;
}
