/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/copy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/engine/secret_key.h"

#define COPY_HEAD "reeve copy 1\n"
#define COPY_HEAD_BYTES (sizeof(COPY_HEAD) - 1)
#define COPY_BLOCK (64u << 10)
#define COPY_SEALED_MAX (COPY_BLOCK + crypto_secretstream_xchacha20poly1305_ABYTES)
#define COPY_LEVEL 3

_Static_assert(SECRET_KEY_BYTES == crypto_secretstream_xchacha20poly1305_KEYBYTES,
               "one key fits both");

struct copy_stream {
    int in, out;
    crypto_secretstream_xchacha20poly1305_state seal;
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
    char key[SECRET_KEY_BYTES];
    unsigned char plain[COPY_BLOCK], packed[COPY_BLOCK], sealed[COPY_SEALED_MAX];
};

/* --- bytes --------------------------------------------------------------------------------------- */

/* As many as there are, at most n; -1 and errno. */
static ssize_t read_some(int fd, void *p, size_t n)
{
    size_t got = 0;

    while (got < n) {
        ssize_t one = read(fd, (char *)p + got, n - got);

        if (one < 0 && errno == EINTR)
            continue;
        if (one < 0)
            return -1;
        if (!one)
            break;
        got += (size_t)one;
    }
    return (ssize_t)got;
}

static int write_all(struct copy_stream *s, const void *p, size_t n, struct err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t one = write(s->out, (const char *)p + done, n - done);

        if (one < 0 && errno == EINTR)
            continue;
        if (one < 0)
            return err_sys(err, "write");
        done += (size_t)one;
    }
    return 0;
}

static int read_exactly(struct copy_stream *s, void *p, size_t n, struct err *err)
{
    ssize_t got = read_some(s->in, p, n);

    if (got < 0)
        return err_sys(err, "read");
    return (size_t)got == n ? 0 : err_set(err, ERR_CORRUPT, "the copy is cut");
}

/* --- sealing ------------------------------------------------------------------------------------- */

static int put_message(struct copy_stream *s, size_t n, unsigned char tag, struct err *err)
{
    unsigned char length[4];
    unsigned long long n_sealed = 0;

    (void)crypto_secretstream_xchacha20poly1305_push(&s->seal, s->sealed, &n_sealed, s->packed, n,
                                                     NULL, 0, tag); /* always 0 */
    for (int i = 0; i < 4; i++)
        length[i] = (unsigned char)(n_sealed >> (24 - 8 * i));
    if (write_all(s, length, sizeof(length), err))
        return err->code;
    return write_all(s, s->sealed, (size_t)n_sealed, err);
}

/* One block of the file; the last one ends the stream. */
static int seal_block(struct copy_stream *s, size_t n, int is_last, struct err *err)
{
    ZSTD_inBuffer in = { s->plain, n, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { s->packed, sizeof(s->packed), 0 };

        left = ZSTD_compressStream2(s->pack, &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return err_set(err, ERR_FAILED, "compress: %s", ZSTD_getErrorName(left));
        if (out.pos && put_message(s, out.pos, 0, err))
            return err->code;
    } while (is_last ? left != 0 : in.pos < in.size);
    return is_last ? put_message(s, 0, crypto_secretstream_xchacha20poly1305_TAG_FINAL, err) : 0;
}

static int seal_all(struct copy_stream *s, struct err *err)
{
    unsigned char header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
    ssize_t n;

    s->pack = ZSTD_createCCtx();
    if (!s->pack)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)ZSTD_CCtx_setParameter(s->pack, ZSTD_c_compressionLevel, COPY_LEVEL); /* a valid one */
    (void)crypto_secretstream_xchacha20poly1305_init_push(&s->seal, header,
                                                          (const unsigned char *)s->key);
    if (write_all(s, COPY_HEAD, COPY_HEAD_BYTES, err) || write_all(s, header, sizeof(header), err))
        return err->code;
    do {
        n = read_some(s->in, s->plain, sizeof(s->plain));
        if (n < 0)
            return err_sys(err, "read");
        if (seal_block(s, (size_t)n, (size_t)n < sizeof(s->plain), err))
            return err->code;
    } while ((size_t)n == sizeof(s->plain));
    return 0;
}

/* --- unsealing ----------------------------------------------------------------------------------- */

static int get_message(struct copy_stream *s, size_t *ret_n, int *ret_last, struct err *err)
{
    unsigned char length[4], tag = 0;
    unsigned long long n_packed = 0;
    size_t n;

    if (read_exactly(s, length, sizeof(length), err))
        return err->code;
    n = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
    if (n > sizeof(s->sealed))
        return err_set(err, ERR_CORRUPT, "no copy of ours");
    if (read_exactly(s, s->sealed, n, err))
        return err->code;
    if (crypto_secretstream_xchacha20poly1305_pull(&s->seal, s->packed, &n_packed, &tag, s->sealed,
                                                   n, NULL, 0))
        return err_set(err, ERR_CORRUPT, "changed, or sealed with another key");
    *ret_n = (size_t)n_packed;
    *ret_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return 0;
}

static int unpack_message(struct copy_stream *s, size_t n, struct err *err)
{
    ZSTD_inBuffer in = { s->packed, n, 0 };
    size_t is_full = 1;

    while (in.pos < in.size || is_full) {
        ZSTD_outBuffer out = { s->plain, sizeof(s->plain), 0 };
        size_t rc = ZSTD_decompressStream(s->unpack, &out, &in);

        if (ZSTD_isError(rc))
            return err_set(err, ERR_CORRUPT, "decompress: %s", ZSTD_getErrorName(rc));
        if (write_all(s, s->plain, out.pos, err))
            return err->code;
        is_full = out.pos == out.size;
    }
    return 0;
}

static int unseal_all(struct copy_stream *s, struct err *err)
{
    unsigned char header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
    char head[COPY_HEAD_BYTES];
    int is_last = 0;

    s->unpack = ZSTD_createDCtx();
    if (!s->unpack)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (read_exactly(s, head, sizeof(head), err) || read_exactly(s, header, sizeof(header), err))
        return err->code;
    if (memcmp(head, COPY_HEAD, COPY_HEAD_BYTES) ||
        crypto_secretstream_xchacha20poly1305_init_pull(&s->seal, header,
                                                        (const unsigned char *)s->key))
        return err_set(err, ERR_CORRUPT, "no copy of ours");
    while (!is_last) {
        size_t n = 0;

        if (get_message(s, &n, &is_last, err) || (n && unpack_message(s, n, err)))
            return err->code;
    }
    return 0;
}

/* --- files --------------------------------------------------------------------------------------- */

static void stream_free(struct copy_stream *s)
{
    if (!s)
        return;
    (void)ZSTD_freeCCtx(s->pack); /* NULL is fine */
    (void)ZSTD_freeDCtx(s->unpack);
    explicit_bzero(s->key, sizeof(s->key));
    explicit_bzero(&s->seal, sizeof(s->seal));
    guard_close(&s->in);
    guard_close(&s->out);
    alloc_free(s);
}

typedef int stream_fn(struct copy_stream *s, struct err *err);

/* What is read was sealed with a key that was there: a new one opens nothing. */
static int stream_key(struct copy_stream *s, stream_fn *run, const char *keys, struct err *err)
{
    int rc = run == unseal_all ? secret_key_read_old(keys, "copies", s->key, err)
                               : secret_key_read(keys, "copies", s->key, err);

    return rc ? err_wrap(err, "the key of copies") : 0;
}

static int stream_open(struct copy_stream *s, stream_fn *run, const char *from, const char *to,
                       const char *keys, struct err *err)
{
    s->in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->in < 0)
        return err_sys(err, "open '%s'", from);
    if (sodium_init() < 0)
        return err_set(err, ERR_FAILED, "libsodium cannot be used here");
    if (stream_key(s, run, keys, err))
        return err->code;
    s->out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return s->out < 0 ? err_sys(err, "make '%s'", to) : 0;
}

static int run_stream(stream_fn *run, const char *from, const char *to, const char *keys,
                      struct err *err)
{
    struct copy_stream *s = alloc_zero(sizeof(*s));
    int was_made, rc;

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->in = s->out = -1;
    rc = stream_open(s, run, from, to, keys, err);
    if (!rc)
        rc = run(s, err);
    if (!rc && fsync(s->out))
        rc = err_sys(err, "keep '%s'", to);
    was_made = s->out >= 0;
    stream_free(s);
    if (!rc)
        return 0;
    if (was_made)
        (void)unlink(to); /* half a file is none; what failed before is reported */
    return err_wrap(err, "'%s'", from);
}

int copy_file_seal(const char *from, const char *to, const char *keys, struct err *err)
{
    return run_stream(seal_all, from, to, keys, err);
}

int copy_file_unseal(const char *from, const char *to, const char *keys, struct err *err)
{
    return run_stream(unseal_all, from, to, keys, err);
}
