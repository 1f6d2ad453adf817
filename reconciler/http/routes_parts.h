/*
 * routes_parts: what the table of routes names. SPDX-License-Identifier: Apache-2.0
 *
 * Only the routes*.c files include this.
 */
#pragma once

#include "reconciler/http/routes.h"
#include "reconciler/http/shapes.h"

#define API "/api/v1"
#define ENV API "/environments/NAME"
#define PLAN API "/plans/ID"
#define OPERATION API "/operations/UID"
#define TOKEN API "/tokens/ID"
#define PERSON API "/people/NAME"

route_read routes_read_status, routes_read_environments, routes_read_environment,
    routes_read_plan_of, routes_read_plans, routes_read_operations, routes_read_rollouts,
    routes_read_revisions, routes_read_jobs, routes_read_told, routes_read_holds,
    routes_read_quarantine, routes_read_diff, routes_read_plan, routes_read_progress,
    routes_read_history, routes_read_events, routes_read_state_at, routes_read_changes,
    routes_read_explain, routes_read_logs, routes_read_sources, routes_read_providers,
    routes_read_audit, routes_read_export, routes_read_report, routes_read_doctor,
    routes_read_openapi, routes_read_tokens, routes_read_people, routes_read_sessions,
    routes_read_replica, routes_read_metrics, routes_read_health, routes_read_health_detailed,
    routes_read_targets;

/* What it was asked with, against the shape of its row. */
int routes_check(const struct route_call *call, enum shapes_form form, struct err *err);
