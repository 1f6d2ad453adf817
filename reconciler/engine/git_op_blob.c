/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_entry.h"
#include "reconciler/engine/git_op.h"

/* As hex digits: a blob need not be text. */
int git_op_blob(struct git_op *op, struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    AUTO_REPO git_repository *repo = NULL;
    int64_t limit = value_get_int(op->in, S("limit_bytes"), 0);
    struct str id, bytes;
    struct sb hex;
    git_oid oid;

    if (git_op_text(op, "id", &id, err) || git_op_open(op, &repo, err))
        return err->code;
    if (id.n != GIT_OID_HEXSZ || git_oid_fromstrn(&oid, id.p, id.n))
        return err_set(err, ERR_USAGE, "'id' is not an id");
    if (git_entry_read_blob(repo, &oid, id, limit > 0 ? (size_t)limit : 0, op->a, &bytes, err))
        return err->code;
    sb_init(&hex, op->a);
    for (size_t i = 0; i < bytes.n; i++) {
        sb_add_char(&hex, digits[(unsigned char)bytes.p[i] >> 4]);
        sb_add_char(&hex, digits[(unsigned char)bytes.p[i] & 15]);
    }
    value_set_text(op->a, op->out, S("hex"), sb_str(&hex));
    return 0;
}
