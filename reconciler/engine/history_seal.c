/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/history_seal.h"

#include "base/sys.h"
#include "reconciler/engine/secret_key.h"
#include "state/events.h"

_Static_assert(SEAL_KEY_BYTES == SECRET_KEY_BYTES, "one kind of key");

static const char *seal_path(struct arena *a, const char *keys, const char *what)
{
    return str_fmt(a, "%s/history.%s", keys, what).p;
}

const char *history_seal_keys(struct arena *a, const struct value *daemon)
{
    struct str file = value_get_text(value_get(daemon, S("state")), S("file"), S(""));

    while (file.n && file.p[file.n - 1] != '/')
        file.n--;
    return str_fmt(a, "%.*skeys", STR_ARG(file)).p;
}

int history_seal_open(struct arena *a, const char *keys, struct str installation,
                      enum history_seal_mode mode, struct history_seal *ret, struct err *err)
{
    struct str key = { ret->key, SEAL_KEY_BYTES };
    int rc = mode == HISTORY_SEAL_MAKE ? secret_key_read(keys, "history", ret->key, err)
                                       : secret_key_read_old(keys, "history", ret->key, err);

    if (rc)
        return rc;
    ret->head = (struct seal){ seal_path(a, keys, "head"), "head", key, installation };
    ret->verified = (struct seal){ seal_path(a, keys, "verified"), "verified", key, installation };
    ret->sealed_seq = 0;
    return arena_status(a, err);
}

int history_seal_commit(struct history_seal *s, struct db *db, struct err *err)
{
    struct seal_head head;
    int rc = events_head(db, &head.seq, &head.hash, err);

    if (rc)
        return rc;
    s->seen_seq = head.seq;
    if (head.seq == s->sealed_seq)
        return 0;
    rc = seal_write(&s->head, &head, err);
    if (!rc)
        s->sealed_seq = head.seq;
    return rc;
}

int history_seal_judge(struct arena *a, const struct history_seal *s, struct db *db,
                       struct str *ret_why, struct err *err)
{
    struct seal_head head;
    int rc = seal_read(&s->head, &head, err);

    if (!rc)
        rc = seal_check(db, &head, err);
    if (rc && rc != ERR_NOT_FOUND && rc != ERR_CORRUPT)
        return rc;
    *ret_why = rc == ERR_CORRUPT ? str_copy(a, str_from_c(err->text)) : STR_NONE;
    return arena_status(a, err);
}

int history_seal_forget(struct arena *a, const char *keys, struct err *err)
{
    const char *head = seal_path(a, keys, "head"), *verified = seal_path(a, keys, "verified");
    int rc = arena_status(a, err);

    if (!rc)
        rc = sys_remove_all(head, err);
    return rc ? rc : sys_remove_all(verified, err);
}
