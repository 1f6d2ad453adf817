/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/signature.h"

#include "base/guard.h"

enum signature_kind signature_kind(struct str text)
{
    if (str_starts(text, S("-----BEGIN SSH SIGNATURE-----")))
        return SIGNATURE_SSH;
    if (str_starts(text, S("-----BEGIN PGP SIGNATURE-----")))
        return SIGNATURE_OPENPGP;
    return text.n ? SIGNATURE_OTHER : SIGNATURE_NONE;
}

struct str signature_ssh_name(struct str out)
{
    struct str line;

    return str_next(&out, '\n', &line) && str_trim(line).n ? str_trim(line) : STR_NONE;
}

/* Good "git" signature for NAME with ED25519 key SHA256:.. */
int signature_read_ssh(struct arena *a, struct str out, struct str name, struct signer *ret)
{
    struct str line = str_trim(out);
    size_t at = line.n;

    while (at > 0 && line.p[at - 1] != ' ')
        at--;
    if (!str_starts(line, S("Good \"git\" signature for ")) ||
        !str_starts(str_slice(line, at, line.n), S("SHA256:")))
        return -1;
    ret->key = str_copy(a, str_slice(line, at, line.n));
    ret->name = str_copy(a, name);
    return 0;
}

/* "Ann <ann@acme.test>": the address, or all of it. */
static struct str mail_of(struct str uid)
{
    size_t open = uid.n, end = uid.n;

    while (open > 0 && uid.p[open - 1] != '<')
        open--;
    while (end > open && uid.p[end - 1] != '>')
        end--;
    return open && end > open + 1 ? str_slice(uid, open, end - 1 - open) : uid;
}

static struct str last_word(struct str line)
{
    size_t at = line.n;

    while (at > 0 && line.p[at - 1] != ' ')
        at--;
    return str_slice(line, at, line.n);
}

/* One good signature, and nothing that is said against it. */
int signature_read_openpgp(struct arena *a, struct str out, struct signer *ret, struct str *ret_why)
{
    static const struct {
        const char *word, *why;
    } bad[] = {
        { "BADSIG", "it is over something else" },      { "EXPSIG", "it has expired" },
        { "EXPKEYSIG", "the key has expired" },         { "REVKEYSIG", "the key was revoked" },
        { "ERRSIG", "it is by no key of the keyring" },
    };
    int n_good = 0, n_valid = 0;
    struct str line, word;

    *ret_why = S("gpgv found no good signature");
    while (str_next(&out, '\n', &line)) {
        if (!str_starts(line, S("[GNUPG:] ")))
            continue;
        line = str_slice(line, 9, line.n);
        (void)str_next(&line, ' ', &word); /* a line has one */
        for (size_t i = 0; i < N_ELEMENTS(bad); i++)
            if (str_eq_c(word, bad[i].word)) {
                *ret_why = str_from_c(bad[i].why);
                return -1;
            }
        if (str_eq_c(word, "GOODSIG") && str_next(&line, ' ', &word)) {
            ret->name = str_copy(a, mail_of(line.p ? line : S("")));
            n_good++;
        } else if (str_eq_c(word, "VALIDSIG")) {
            ret->key = str_fmt(a, "openpgp:%.*s", STR_ARG(last_word(line.p ? line : S(""))));
            n_valid++;
        }
    }
    return n_good == 1 && n_valid == 1 ? 0 : -1;
}
