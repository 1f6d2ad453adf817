/* sim: services and domains that get another name, whatever happens in between. SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/story.h"

static int64_t is_recorded(struct story *s, const char *kind, const char *name)
{
    struct rec_resource *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&s->w), &s->w.arena, resource,
                   "WHERE kind = $1 AND name = $2 AND valid_to IS NULL AND status <> 'gone' AND "
                   "env = (SELECT uid FROM environments WHERE name = 'prod')",
                   &rows, &n, err, DB_T(str_from_c(kind)), DB_T(str_from_c(name))));
    return (int64_t)n;
}

static void rename_web(struct story *s)
{
    s->shop.web = "site";
    s->shop.domain = "front";
    push(s);
}

static void expect_renamed(struct story *s)
{
    expect_status(s, "in_sync: ");
    assert_int_equal(is_recorded(s, "service", "web"), 0);
    assert_int_equal(is_recorded(s, "service", "site"), 1);
    assert_int_equal(is_recorded(s, "domain", "app"), 0);
    assert_int_equal(is_recorded(s, "domain", "front"), 1);
}

/* That / is served at every moment is a law. */
static void a_renamed_service_keeps_serving(struct story *s)
{
    rename_web(s);
    run(s, 2 * MINUTE);
    expect_renamed(s);
    run(s, MINUTE);
    assert_int_equal(count(s, "rollout.reverting"), 0);
}

static void a_renamed_domain_alone_is_one_switch(struct story *s)
{
    int64_t n = count(s, "rollout.applied");

    s->shop.domain = "front";
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(is_recorded(s, "domain", "app"), 0);
    assert_int_equal(is_recorded(s, "domain", "front"), 1);
    assert_int_equal(count(s, "rollout.applied"), n + SHOP_ENVS);
}

static void a_name_outlives_the_daemon(struct story *s)
{
    rename_web(s);
    for (int i = 0; i < 12; i++) {
        run(s, 3 * SECOND);
        world_kill(&s->w);
    }
    run(s, 2 * MINUTE);
    if (world_status(&s->w, S("prod")).p[0] == 'h') /* it died often enough to be suspected */
        say(s, COMMAND_RESUME);
    run(s, 3 * MINUTE);
    expect_renamed(s);
}

/* Before what had the old name is gone: that it was given up is remembered. */
static void a_person_stops_it_half_way(struct story *s)
{
    int64_t n;

    s->shop.n_envs = 1;
    n = count(s, "rollout.proven");
    rename_web(s);
    run_until_count(s, "rollout.proven", n + 1);
    say(s, COMMAND_CANCEL);
    run(s, 20 * SECOND);
    assert_int_equal(is_recorded(s, "service", "web"), 1);
    assert_int_equal(is_recorded(s, "service", "site"), 1);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 3 * MINUTE);
    expect_renamed(s);
}

/* Nobody serves under the new name: the old one goes on, until a commit mends it. */
static void what_rots_under_its_new_name_is_served_under_the_old(struct story *s)
{
    change(s, SHOP_WEB, 2);
    rename_web(s);
    run(s, 3 * MINUTE);
    expect_status(s, "reverted: quarantined: ");
    assert_int_equal(is_recorded(s, "service", "web"), 1);
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, 3 * MINUTE);
    expect_renamed(s);
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_renamed_service_keeps_serving),
        STORY(a_renamed_domain_alone_is_one_switch),
        STORY(a_name_outlives_the_daemon),
        STORY(a_person_stops_it_half_way),
        STORY(what_rots_under_its_new_name_is_served_under_the_old),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
