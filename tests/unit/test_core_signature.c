/* core/signature: what ssh-keygen and gpgv say, as they say it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "reconciler/core/signature.h"

#define G "[GNUPG:] "
#define KEY "C4CC40A1EF2AB356D84D33219086CE6E7A06E3EF"
#define VALID G "VALIDSIG " KEY " 2026-11-20 1795203327 0 4 0 22 8 00 " KEY "\n"
#define GOOD G "GOODSIG 9086CE6E7A06E3EF Bob <bob@acme.test>\n"

static const struct {
    const char *sentence, *out, *who; /* who, or why not */
    int rc;
} openpgp_rows[] = {
    /* clang-format off */
    { "good", G "NEWSIG bob@acme.test\n" G "KEY_CONSIDERED " KEY " 0\n" GOOD VALID, "bob@acme.test openpgp:" KEY, 0 },
    { "by somebody without an address", G "GOODSIG 9086 Bob\n" VALID, "Bob openpgp:" KEY, 0 },
    { "the key has expired, and gpgv ends with 0", G "KEYEXPIRED 1580428800\n" G "EXPKEYSIG A442 Old <old@acme.test>\n" VALID, "the key has expired", -1 },
    { "it was revoked, and gpgv ends with 0", G "REVKEYSIG 9B98 Rev <rev@acme.test>\n" VALID, "the key was revoked", -1 },
    { "it is over something else", G "BADSIG 9086 Bob <bob@acme.test>\n", "it is over something else", -1 },
    { "nobody's", G "ERRSIG 9086 22 8 00 1795203327 9 -\n" G "NO_PUBKEY 9086\n", "it is by no key of the keyring", -1 },
    { "the second of two is bad", GOOD VALID G "BADSIG 9086 Bob <bob@acme.test>\n", "it is over something else", -1 },
    { "two good ones", GOOD VALID GOOD VALID, "gpgv found no good signature", -1 },
    { "good, but by no key", GOOD, "gpgv found no good signature", -1 },
    { "nothing at all", "", "gpgv found no good signature", -1 },
    { "words that gpgv did not say", "GOODSIG 9086 Bob <bob@acme.test>\nVALIDSIG " KEY "\n", "gpgv found no good signature", -1 },
    { "a name with brackets", G "GOODSIG 9086 <bob@acme.test> x <eve@acme.test>\n" VALID, "eve@acme.test openpgp:" KEY, 0 },
    /* clang-format on */
};

static void test_openpgp(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(openpgp_rows); i++) {
        struct signer signer;
        struct str why, said;
        int rc = signature_read_openpgp(&a, str_from_c(openpgp_rows[i].out), &signer, &why);

        said = rc ? why : str_fmt(&a, "%.*s %.*s", STR_ARG(signer.name), STR_ARG(signer.key));
        if (rc != openpgp_rows[i].rc || !str_eq_c(said, openpgp_rows[i].who))
            fail_msg("%s: %d %.*s", openpgp_rows[i].sentence, rc, STR_ARG(said));
    }
}

static const struct {
    const char *out, *key; /* NULL: it is not good */
} ssh_rows[] = {
    { "Good \"git\" signature for ann@acme.test with ED25519 key SHA256:IaR29h\n",
      "SHA256:IaR29h" },
    { "Good \"file\" signature for ann@acme.test with ED25519 key SHA256:IaR29h\n", NULL },
    { "Good \"git\" signature for ann@acme.test\n", NULL },
    { "Could not verify signature.\n", NULL },
    { "", NULL },
};

static void test_ssh(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(ssh_rows); i++) {
        struct signer signer;
        int rc = signature_read_ssh(&a, str_from_c(ssh_rows[i].out), S("ann"), &signer);

        assert_int_equal(rc, ssh_rows[i].key ? 0 : -1);
        if (!rc)
            assert_true(str_eq_c(signer.key, ssh_rows[i].key) && str_eq_c(signer.name, "ann"));
    }
    assert_true(str_eq_c(signature_ssh_name(S("ann@acme.test\na2@x\n")), "ann@acme.test"));
    assert_null(signature_ssh_name(S("\nann@acme.test\n")).p);
    assert_null(signature_ssh_name(S("")).p);
}

static void test_kinds(void **state)
{
    (void)state;
    assert_int_equal(signature_kind(STR_NONE), SIGNATURE_NONE);
    assert_int_equal(signature_kind(S("-----BEGIN SSH SIGNATURE-----\n")), SIGNATURE_SSH);
    assert_int_equal(signature_kind(S("-----BEGIN PGP SIGNATURE-----\n")), SIGNATURE_OPENPGP);
    assert_int_equal(signature_kind(S("-----BEGIN SIGNED MESSAGE-----\n")), SIGNATURE_OTHER);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openpgp),
        cmocka_unit_test(test_ssh),
        cmocka_unit_test(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
