#!/usr/bin/python3
"""systems: the five systems of the users are said completely. SPDX-License-Identifier: Apache-2.0

    systems.py REEVE EXAMPLES

Every variable that they need stands in the right service, as a secret, wired to another resource or as a value; what they ask for
is there; every environment validates and is planned by its Daemon document, on the driver null. What could not be said is printed,
and is an error. Exit status 77: python3-yaml is not here.
"""
import json
import os
import subprocess
import sys

try:
    import yaml
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

WIRED = ("database", "redis", "service", "domain", "join")

# (system, where below services, kind, names)
VARIABLES = [
    ("grove", "api.environment", "wired", "DATABASE_URL REDIS_HOST REDIS_PORT MAGIC_LINK_BASE_URL FRONTEND_URL ALLOWED_ORIGINS "
     "SAML_CALLBACK_URL OIDC_CALLBACK_URL"),
    ("grove", "api.environment", "secret", "JWT_SECRET ENCRYPTION_KEY OPENAI_API_KEY POSTMARK_API_KEY SAML_CERT OIDC_CLIENT_SECRET SENTRY_DSN"),
    ("grove", "api.environment", "optional", "POSTMARK_API_KEY OIDC_CLIENT_SECRET SENTRY_DSN"),
    ("grove", "api.environment", "value", "JWT_EXPIRATION MAGIC_LINK_EXPIRATION OPENAI_MODEL POSTMARK_FROM_EMAIL NODE_ENV PORT API_PREFIX "
     "AWS_REGION SAML_ENTRY_POINT SAML_ISSUER OIDC_ISSUER OIDC_CLIENT_ID OIDC_SCOPE"),
    ("grove", "site.source.environment", "wired", "VITE_API_URL"),
    ("grove", "site.source.environment", "value", "VITE_SENTRY_DSN"),
    ("delight", "web.environment", "value", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY NODE_ENV"),
    ("delight", "web.environment", "secret", "CLERK_SECRET_KEY"),
    ("delight", "web.source.environment", "wired", "NEXT_PUBLIC_API_URL"),
    ("delight", "api.environment", "wired", "DATABASE_URL REDIS_URL ALLOWED_ORIGINS"),
    ("delight", "api.environment", "secret", "CLERK_SECRET_KEY CLERK_WEBHOOK_SECRET OPENAI_API_KEY SENTRY_DSN"),
    ("delight", "api.environment", "optional", "SENTRY_DSN"),
    ("delight", "api.environment", "value", "ENVIRONMENT INFRA_MODE PORT LOG_LEVEL"),
    ("salina", "app.environment", "wired", "DATABASE_URL REDIS_URL NEXT_PUBLIC_APP_URL"),
    ("salina", "app.environment", "secret", "CLERK_SECRET_KEY CLERK_WEBHOOK_SECRET SENTRY_DSN"),
    ("salina", "app.source.secrets", "build", "SENTRY_AUTH_TOKEN"),
    ("salina", "app.environment", "value", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY NODE_ENV PORT HOSTNAME NEXT_TELEMETRY_DISABLED"),
    ("nuggetwise", "web.source.environment", "wired", "NEXT_PUBLIC_API_URL"),
    ("nuggetwise", "web.source.environment", "value", "NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY NEXT_PUBLIC_GA_TRACKING_ID NEXT_PUBLIC_HOTJAR_ID"),
    ("nuggetwise", "api.environment", "wired", "DATABASE_URL REDIS_URL FRONTEND_URL"),
    ("nuggetwise", "api.environment", "secret", "STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET JWT_SECRET ENCRYPTION_KEY V0_API_KEY SENTRY_DSN"),
    ("nuggetwise", "api.environment", "value", "NODE_ENV PORT"),
    ("signupflow", "app.environment", "wired", "DATABASE_URL REDIS_URL ALLOWED_HOSTS"),
    ("signupflow", "app.environment", "secret", "SECRET_KEY SENTRY_DSN"),
    ("signupflow", "app.environment", "value", "DATABASE_POOL_SIZE DATABASE_MAX_OVERFLOW ENVIRONMENT SPACES_BUCKET"),
]

ANY = object()

# (system, environment, path, what stands there: a value, a part of a text or list, or anything)
ASKED = [
    ("grove", "staging", "services.api.release.command", ["npx", "prisma", "migrate", "deploy"]),
    ("grove", "development", "databases.main.sslmode", "prefer"),
    ("grove", "staging", "databases.main.sslmode", "require"),
    ("grove", "production", "databases.main.sslmode", "require"),
    ("grove", "production", "databases.main.extensions", ["vector"]),
    ("grove", "production", "redis.queue.use", "queue"),
    ("grove", "staging", "databases.main.seed.command", ANY),
    ("grove", "staging", "domains.site.access.type", "login"),
    ("grove", "production", "secrets.field_key.kind", "data"),
    ("grove", "production", "services.site.static.fallback", "/index.html"),
    ("grove", "production", "services.site.static.directory", "dist"),
    ("grove", "production", "services.api.healthcheck.readiness.http.path", "/api/health"),
    ("delight", "staging", "trigger.branch", "develop"),
    ("delight", "production", "trigger.branch", "main"),
    ("delight", "demo", "trigger.tag", "v*"),
    ("delight", "production", "services.api.healthcheck.readiness.http.path", "/api/v1/health/detailed"),
    ("delight", "production", "services.api.healthcheck.readiness.http.expect_json.path", "status"),
    ("delight", "production", "services.api.healthcheck.liveness.http.path", "/api/v1/health"),
    ("delight", "production", "services.api.rollout.strategy", "blue_green"),
    ("delight", "production", "services.api.rollout.auto_revert", True),
    ("delight", "production", "services.api.release.run", "manual"),
    ("delight", "production", "services.api.environment.DATABASE_URL.scheme", "postgresql+asyncpg"),
    ("delight", "production", "status.badge", True),
    ("delight", "production", "services.api.environment.INFRA_MODE", "production"),
    ("delight", "production", "services.web.environment.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "pk_live_"),
    ("delight", "staging", "services.web.environment.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "pk_test_"),
    ("salina", "production", "databases.main.version", "16"),
    ("salina", "production", "databases.main.pooling.max_client_conn", 100),
    ("salina", "production", "databases.main.pooling.connect_timeout", "30s"),
    ("salina", "production", "databases.main.pooling.idle_timeout", "5m"),
    ("salina", "production", "databases.main.pitr.window", ANY),
    ("salina", "production", "services.app.environment.DATABASE_URL.key", "pooled_url"),
    ("salina", "production", "backups.main.schedule", "0 3 * * *"),
    ("salina", "production", "backups.main.retention.daily", 30),
    ("salina", "production", "backups.main.restore_drill.target.environment", "staging"),
    ("salina", "production", "backups.main.restore_drill.schedule", "0 5 1 * *"),
    ("salina", "production", "notifications", "backup_failed"),
    ("salina", "production", "notifications", "smtp"),
    ("salina", "production", "notifications", "sentry"),
    ("salina", "production", "domains.app.routes./api/webhooks/clerk.access", "none"),
    ("salina", "production", "services.app.release.command", ANY),
    ("salina", "production", "services.app.healthcheck.readiness.http.expect_status", [200]),
    ("nuggetwise", "production", "services.api.replicas", 3),
    ("nuggetwise", "production", "services.api.resources.limits.cpus", 0.5),
    ("nuggetwise", "production", "services.api.resources.limits.memory", "512M"),
    ("nuggetwise", "production", "services.api.healthcheck.liveness.interval", "30s"),
    ("nuggetwise", "production", "services.api.healthcheck.liveness.timeout", "10s"),
    ("nuggetwise", "production", "services.api.healthcheck.liveness.failure_threshold", 3),
    ("nuggetwise", "production", "services.api.healthcheck.readiness.http.expect_json.path", "status"),
    ("nuggetwise", "production", "services.api.rollout.healthy_deadline", "300s"),
    ("nuggetwise", "production", "domains.app.routes./api/metrics.deny", True),
    ("nuggetwise", "production", "domains.app.routes./api.rate_limit.requests", 100),
    ("nuggetwise", "production", "domains.app.routes./api/auth.rate_limit.requests", 5),
    ("nuggetwise", "production", "domains.app.headers.set.X-Frame-Options", "DENY"),
    ("nuggetwise", "production", "domains.app.dns.proxied", True),
    ("nuggetwise", "production", "objectives.database", "15m"),
    ("nuggetwise", "production", "objectives.service", "2m"),
    ("nuggetwise", "production", "objectives.domain", "5m"),
    ("nuggetwise", "production", "objectives.all", "30m"),
    ("nuggetwise", "production", "backups.main.retention.daily", 30),
    ("nuggetwise", "production", "secrets.field_key.kind", "data"),
    ("nuggetwise", "production", "services.web.source.environment.NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY", "pk_live_"),
    ("nuggetwise", "staging", "services.web.source.environment.NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY", "pk_test_"),
    ("signupflow", "staging", "services.app.replicas", 2),
    ("signupflow", "production", "services.app.replicas.min", 2),
    ("signupflow", "production", "services.app.image", "ghcr.io/"),
    ("signupflow", "production", "services.app.image_wait", ANY),
    ("signupflow", "production", "services.app.connections.per_instance", 30),
    ("signupflow", "production", "services.app.environment.DATABASE_POOL_SIZE", "20"),
    ("signupflow", "production", "services.app.environment.DATABASE_MAX_OVERFLOW", "10"),
    ("signupflow", "production", "services.app.termination.stop_grace_period", "30s"),
    ("signupflow", "production", "services.app.healthcheck.readiness.http.path", "/health"),
    ("signupflow", "production", "services.app.resources.limits.memory", "1G"),
    ("signupflow", "production", "services.app.resources.limits.cpus", 1),
    ("signupflow", "production", "services.app.rollout.auto_revert", True),
    ("signupflow", "production", "databases.main.version", "14"),
    ("signupflow", "production", "redis.sessions.use", "session"),
    ("signupflow", "production", "backups.main.schedule", "0 2 * * *"),
    ("signupflow", "production", "backups.main.retention.daily", 30),
    ("signupflow", "production", "backups.main.retention.monthly", 12),
    ("signupflow", "production", "backups.main.encryption.algorithm", "AES-256-GCM"),
    ("signupflow", "production", "backups.main.encryption.key.secret", "backup_encryption_key"),
    ("signupflow", "production", "backups.main.destination.access_key.secret", "spaces_access_key"),
    ("signupflow", "production", "backups.main.destination.secret_key.secret", "spaces_secret_key"),
    ("signupflow", "production", "backups.main.restore_drill.schedule", "0 4 1 * *"),
    ("signupflow", "production", "domains.app.tls.alarm_before", "7d"),
    ("signupflow", "production", "notifications", "certificate_expiring"),
]

# Documents beside the environments.
PREVIEWS = {"delight": [("status.comment", True), ("status.commit_status", True), ("source.pull_requests", ANY)]}
COSTS = {"signupflow"}


def merged(base, over):
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {k: merged(base[k], over[k]) if k in base and k in over else over.get(k, base.get(k)) for k in {**base, **over}}


def read(folder):
    """The application, its environments on top of it, and the previews."""
    documents = []
    for name in sorted(os.listdir(f"{folder}/.reeve")):
        with open(f"{folder}/.reeve/{name}", encoding="utf-8") as f:
            documents += list(yaml.safe_load_all(f))
    application = next(d for d in documents if d["kind"] == "Application")
    environments = {d["name"]: merged(application, d) for d in documents if d["kind"] == "Environment"}
    return application, environments, [d for d in documents if d["kind"] == "Preview"]


def at(document, path):
    """What stands at a dotted path; a route has its dots within slashes, none here."""
    for part in path.split("."):
        if not isinstance(document, dict) or part not in document:
            return None
        document = document[part]
    return document


def kind_of(v):
    if isinstance(v, dict):
        return "secret" if "secret" in v else "wired" if any(w in v for w in WIRED) else "nothing"
    return "value" if isinstance(v, str) else "nothing"


def is_said(found, kind, name):
    if kind == "build":
        return isinstance(found, list) and name.lower() in found
    v = found.get(name) if isinstance(found, dict) else None
    if kind == "optional":
        return isinstance(v, dict) and v.get("optional") is True
    return kind_of(v) == kind


def is_there(found, wanted):
    if found is None or wanted is ANY:
        return found is not None
    if isinstance(wanted, bool) or not isinstance(wanted, str) or found == wanted:
        return found == wanted
    return wanted in json.dumps(found)


def missing_of(system, application, environments, previews):
    n = 0
    for of, where, kind, names in VARIABLES:
        for name in names.split() if of == system else []:
            n += 1
            for env, document in environments.items():
                if not is_said(at(document, "services." + where), kind, name):
                    yield f"{env}: {name} in {where} as {kind}"
    for of, env, path, wanted in ASKED:
        if of == system and not is_there(at(environments.get(env), path), wanted):
            yield f"{env}: {path}"
    for path, wanted in PREVIEWS.get(system, []):
        if not any(is_there(at(p, path), wanted) for p in previews):
            yield f"preview: {path}"
    print(f"  variables {n}, environments {' '.join(environments)}, previews {len(previews)}")


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def planned(reeve, folder, env, resources):
    """What is wrong with the plan of an environment; nothing of it may be left out."""
    rc, out, err = run(reeve, "plan", "-f", folder, env, "--config", f"{folder}/reeve.yaml", "-o", "json")
    if rc:
        yield f"{env}: no plan: {err.strip() or out.strip()}"
        return
    lines = {f"{line['kind']}/{line['name']}" for line in json.loads(out)["document"]["lines"]}
    print(f"  {env}: {len(lines)} planned")
    for resource in resources - lines:
        yield f"{env}: {resource} is not in the plan"


def resources_of(document):
    kinds = {"services": "service", "jobs": "job", "databases": "database", "redis": "redis", "domains": "domain", "backups": "backup"}
    return {
        f"{kind}/{name}"
        for kinds_name, kind in kinds.items()
        for name, v in (document.get(kinds_name) or {}).items()
        if v.get("enabled", True)
    }


def wrong_with(reeve, folder, system):
    application, environments, previews = read(folder)
    yield from missing_of(system, application, environments, previews)
    rc, out, err = run(reeve, "validate", folder)
    print("  " + out.strip())
    if rc or "warning" in out:
        yield f"not good: {out}{err}"
    for env, document in environments.items():
        yield from planned(reeve, folder, env, resources_of(document))
    with open(f"{folder}/reeve.yaml", encoding="utf-8") as f:
        rules = yaml.safe_load(f)["environments"]
    if system in COSTS and not all("monthly_cost" in r["ceiling"] for r in rules):
        yield "what it may cost"


def main():
    reeve, examples = sys.argv[1:]
    wrong = []
    for system in sorted({row[0] for row in VARIABLES}):
        print(system)
        wrong += [f"{system}: {text}" for text in wrong_with(reeve, f"{examples}/{system}", system)]
    print("what could not be said:", *wrong or ["nothing"], sep="\n  " if wrong else " ")
    return 1 if wrong else 0


sys.exit(main())
