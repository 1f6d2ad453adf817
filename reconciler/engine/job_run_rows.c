/* What a run is asked for, and its row. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/identity.h"
#include "reconciler/core/jobs.h"
#include "reconciler/core/rollout_items.h"
#include "reconciler/engine/env_row.h"
#include "reconciler/engine/fill.h"
#include "reconciler/engine/job_run_parts.h"
#include "reconciler/engine/secret_sets.h"
#include "reconciler/engine/uids.h"
#include "specs/digest.h"
#include "specs/json_io.h"

/* Whether it was to make way for another before this: what is there says so. */
static int run_reads(struct job_run *r, struct err *err)
{
    struct rec_job_run now = { .env = r->row.env, .job = r->row.job, .at_ms = r->row.at_ms };

    if (!jobs_is_open(&r->row))
        return 0;
    if (db_get(run_engine(r)->db, &r->own, REC_job_run, &now, err))
        return err->code;
    if (!jobs_is_open(&now))
        r->row = now;
    return 0;
}

/* What is new of it, as an event: it runs, it has ended, nothing of it is left. */
int job_run_rows_write(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);
    const char *kind = jobs_is_open(&r->row) ? "job.started"
                       : r->row.is_left      ? "job.ended"
                                             : "job.cleared";
    struct tx *tx;

    arena_reset(&r->round);
    r->was = r->row;
    r->is_written = 1;
    if (run_reads(r, err) || !str_eq(r->row.state, r->was.state))
        return err->code;
    if (engine_tx(
            run_engine(r),
            &(struct engine_event){ .kind = str_from_c(kind),
                                    .subject = str_fmt(&r->round, "job/%.*s", STR_ARG(r->row.job)),
                                    .env = r->row.env },
            &tx, err))
        return err->code;
    return tx_finish(tx, tx_put(tx, REC_job_run, &r->row, err), err);
}

static void set_part(struct job_run *r, struct value *to, const struct value *from,
                     const char *name)
{
    const struct value *part = value_get(from, str_from_c(name));

    if (part)
        value_set(&r->own, to, str_from_c(name), value_copy_content(&r->own, part));
}

static int set_label(struct job_run *r, struct value *body, struct err *err)
{
    struct arena *a = &r->own;
    struct value *label = value_map(a);
    int64_t uid;

    value_set_text(a, label, S("installation"), run_engine(r)->installation);
    value_set_text(a, label, S("env"), r->env_name);
    value_set_text(a, label, S("env_uid"), r->row.env);
    value_set_text(a, label, S("resource"), str_fmt(a, "job/%.*s", STR_ARG(r->name)));
    value_set_int(a, label, S("incarnation"), 1);
    value_set_text(a, label, S("revision"), digest_hex(a, &r->row.revision));
    value_set_text(a, label, S("commit"), r->commit);
    if (str_eq_c(value_get_text(body, S("isolation"), S("")), "uid")) {
        if (uids_of(run_engine(r), a, r->row.env, &uid, err))
            return err->code;
        value_set_int(a, label, S("uid"), uid);
    }
    value_set(a, body, S("label"), label);
    return 0;
}

static int make_body(struct job_run *r, const struct value *desired, struct err *err)
{
    static const char *const taken[] = { "artifact", "command",   "environment",
                                         "limits",   "isolation", "timeout_ms" };
    const struct fill fill = { run_engine(r)->db, &r->own, r->row.env };
    struct value *body = value_map(&r->own), *filled;

    for (size_t i = 0; i < N_ELEMENTS(taken); i++)
        set_part(r, body, desired, taken[i]);
    value_set_text(&r->own, body, S("context"), rollout_items_context(desired));
    value_set_text(&r->own, body, S("on_unknown"), S("park"));
    if (fill_value(&fill, body, &filled, err) || set_label(r, filled, err))
        return err->code;
    r->body = json_format(&r->own, filled);
    return arena_status(&r->own, err);
}

static void identify(struct job_run *r, const struct value *desired)
{
    const struct identity_subject subject = { run_engine(r)->installation, r->row.env, S("job"),
                                              r->name, 1 };
    struct digest asked = digest_value(&r->own, S("item"), desired);

    r->row.owner = identity_owner(&r->own, &subject);
    r->key = identity_idempotency_key(&r->own, &subject, 0, S("run"), &asked);
}

static const struct spec_resource *find_job(const struct environment_spec *spec, struct str name)
{
    for (size_t i = 0; i < spec->resources.n; i++)
        if (str_eq_c(spec->resources.p[i].kind, "job") && str_eq(spec->resources.p[i].name, name))
            return &spec->resources.p[i];
    return NULL;
}

/* What it runs is what its revision said; so are its secrets. */
static int load_revision(struct job_run *r, struct err *err)
{
    struct engine *e = run_engine(r);
    struct rec_revision revision = { .env = r->row.env, .digest = r->row.revision };
    struct environment_spec spec;
    const struct spec_resource *job;

    if (db_get(e->db, &r->own, REC_revision, &revision, err) ||
        snapshot_load_revision(&r->own, e->db, r->row.env, &r->row.revision, &spec, err))
        return err->code;
    r->commit = revision.commit_id.p ? revision.commit_id : S("");
    job = find_job(&spec, r->row.job);
    if (!job)
        return err_set(err, ERR_NOT_FOUND, "its revision has no job '%.*s'", STR_ARG(r->row.job));
    r->row.provider = job->provider;
    r->refs = spec.secrets;
    secret_sets_collect(job->desired, &r->pins);
    if (run_rows_made(e, r->row.env, &r->made, err) || make_body(r, job->desired, err))
        return err->code;
    identify(r, job->desired);
    return arena_status(&r->own, err);
}

/* What is left of one whose revision is gone is taken away all the same; what runs is watched to its end. */
int job_run_rows_load(struct task *t, struct err *err)
{
    struct job_run *r = run_of(t);
    struct rec_environment env;
    int rc;

    map_init(&r->pins, &r->own);
    map_init(&r->made, &r->own);
    r->name = str_fmt(&r->own, "%.*s@%lld", STR_ARG(r->row.job), (long long)r->row.at_ms);
    if (environments_by_uid(run_engine(r)->db, &r->own, r->row.env, &env, err))
        return err->code;
    r->env_name = env.name;
    rc = load_revision(r, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    r->is_watched = rc && str_eq_c(r->row.state, "running");
    if (rc && str_eq_c(r->row.state, "waiting")) {
        r->row.state = S("failed");
        r->row.message = str_copy(&r->own, str_from_c(err->text));
        r->row.ended_ms = loop_wall_ms(t->loop);
        r->is_untold = 1;
    }
    if (rc)
        r->body = S("{}");
    *err = ERR_INIT;
    r->is_loaded = 1;
    return 0;
}
