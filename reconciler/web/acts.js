// acts: what a person asks for, each with its question. SPDX-License-Identifier: Apache-2.0
//
// Every one says what it does, takes a reason, and is answered when it is durable; what follows comes by the stream. Who
// has not the role sees no button: the daemon decides all the same.
import { ask, part } from './api.js';
import { confirmed } from './dialog.js';
import { refresh, store } from './store.js';
import { html } from './vendor/preact.js';
import { sentence, short, stakeOf, typedFor } from './words.js';
import { Lines, byRisk } from './views/lines.js';

const has = (...roles) => roles.some(role => store.me?.roles.includes(role));

export const may = {
    operate: () => has('operator', 'admin'),
    approve: () => has('approver', 'admin') && store.me.kind === 'person',
    reject: () => has('approver', 'admin'),
    override: () => has('override') && store.me.kind === 'person',
    administer: () => has('admin'),
};

async function send(path, body) {
    const said = await ask(path, body);
    refresh();
    return said;
}

const withReason = ({ reason, ...rest }) => ({ ...rest, ...(reason?.trim() ? { reason: reason.trim() } : {}) });

// --- of an environment ------------------------------------------------------------------------------

function ofEnvironment(env, verb, title, button, lines, more = {}) {
    const { body = () => ({}), ...asked } = more;
    confirmed({ title: `${title} ${env}`, lines, verb: button, ...asked,
        act: values => send(`/environments/${part(env)}/${verb}`, { ...withReason({ reason: values.reason ?? '' }), ...body(values) }) });
}

export const reconcile = env => ofEnvironment(env, 'reconcile', 'Reconcile', 'Reconcile',
    ['Its source is fetched and a plan is made now.'], { reason: 'optional' });
export const resume = env => ofEnvironment(env, 'resume', 'Resume', 'Resume', ['Its holds end, and what waited behind them goes on.']);
export const retry = env => ofEnvironment(env, 'retry', 'Retry', 'Retry', ['Quarantine and back-off are lifted: what went wrong is tried again.']);
export const undo = env => ofEnvironment(env, 'undo', 'Undo the last change of', 'Undo',
    ['Traffic goes back to the previous sets, which still run or are kept.'], { isDanger: true });
export const cancel = env => ofEnvironment(env, 'cancel', 'Cancel the running plan of', 'Cancel the plan',
    ['What it began goes back to what was there before.'], { isDanger: true });
export const advance = env => ofEnvironment(env, 'advance', 'Advance', 'Advance',
    ['The pause or the bake ends now: what is new is taken as proven.'], { reason: 'optional' });

const HOLDS = [['', 'until somebody resumes it'], ['3600000', 'for an hour'], ['28800000', 'for eight hours'], ['86400000', 'for a day']];

export function hold(env) {
    ofEnvironment(env, 'hold', 'Hold', 'Hold', ['Nothing is changed, whatever is pushed. What serves goes on serving.'], {
        fields: [{ name: 'length', label: 'How long', choices: HOLDS, value: '' }],
        body: values => (values.length ? { until_ms: Date.now() + Number(values.length) } : {}),
    });
}

export function rollback(env, revisions, live) {
    const others = revisions.filter(one => one.revision !== live), choices = others.map(one =>
        [String(one.revision), `${one.revision}: ${one.commits?.[0]?.summary ?? short(one.digest)}${one.proven ? '' : ' (never proven)'}`]);
    ofEnvironment(env, 'rollback', 'Roll back', 'Roll back', ['The environment goes to this revision by a plan of its own, and is held there.'], {
        isDanger: true, fields: [{ name: 'revision', label: 'Revision', choices, value: String((others.find(one => one.proven) ?? others[0])?.revision) }],
        body: values => ({ revision: Number(values.revision) }),
    });
}

// --- of a plan --------------------------------------------------------------------------------------

// Somebody was faster, or something moved: what came instead, and how it differs.
function explain(problem) {
    const { superseded_by: next, difference } = problem.body ?? {};
    refresh();
    return html`<p><strong>${problem.status === 409 ? 'Somebody was faster, or something moved: this was not done.' : 'Not done.'}</strong> ${sentence(problem.message)}</p>
        ${difference && html`<p>${difference.because.join('; ')}</p><${Lines} lines=${difference.lines} />`}
        ${next && html`<p><a href="/plans/${next}">Review plan ${short(next)} instead</a></p>`}`;
}

function ofPlan(plan, verb, title, button, lines, more = {}) {
    const because = verb === 'reject' ? '' : typedFor(plan.document.lines, plan.document.classes);
    confirmed({ title: `${title} plan ${short(plan.id)} for ${plan.environment}`, lines, verb: button, explain,
        typed: because && plan.environment, because, isDanger: Boolean(because), ...more,
        act: values => send(`/plans/${plan.id}/${verb}`, withReason({ reason: values.reason })) });
}

const whatIsLost = plan => byRisk(plan.document.lines).map(stakeOf).filter(Boolean);

export const approve = plan => ofPlan(plan, 'approve', 'Approve', 'Approve', [
    `The approval is of ${plan.branch} ${short(plan.target.commits?.[0]?.commit)} and of everything else that the plan was made from: when any of that changes, it is void.`,
    ...whatIsLost(plan)]);
export const reject = plan => ofPlan(plan, 'reject', 'Reject', 'Reject', ['Things stay as they are until something else is pushed.']);
export const override = plan => ofPlan(plan, 'override', 'Override', 'Override', [
    'It runs within an hour, whatever approvals it lacks, in a freeze too. The history says so.', ...whatIsLost(plan)], { isDanger: true });

// --- of access --------------------------------------------------------------------------------------

export function makeToken(show) {
    confirmed({ title: 'New token', verb: 'Make it', reason: 'none', lines: ['The token is shown once, when it is made.'],
        fields: [{ name: 'name', label: 'What it is for' },
            { name: 'role', label: 'Role', value: 'viewer', choices: ['viewer', 'operator', 'approver', 'admin'].filter(role => role === 'viewer' || store.me.roles.includes(role)).map(role => [role, role]) },
            { name: 'environments', label: 'Environments: names and patterns, separated by commas; empty: all', isOptional: true },
            { name: 'days', label: 'Valid for', value: '90', choices: [['7', '7 days'], ['90', '90 days'], ['365', 'a year'], ['', 'until it is revoked']] }],
        async act(values) {
            const environments = values.environments.split(',').map(one => one.trim()).filter(Boolean);
            const made = await send('/tokens', { name: values.name, roles: [values.role], ...(environments.length ? { environments } : {}),
                ...(values.days ? { expires_ms: Date.now() + Number(values.days) * 86400000 } : {}) });
            setTimeout(() => show(made));
        } });
}

export const revokeToken = token => confirmed({ title: `Revoke token ${token.name}`, verb: 'Revoke', isDanger: true, reason: 'optional',
    lines: ['Programs that use it are refused from now on.'], act: values => send(`/tokens/${part(token.id)}/revoke`, withReason(values)) });
export const signOutPerson = person => confirmed({ title: `Sign ${person.name} out`, verb: 'Sign out', reason: 'none', isDanger: true,
    lines: ['All of their sessions end.'], act: () => send(`/people/${part(person.name)}/sign-out`, {}) });
export const setPassword = person => confirmed({ title: `Set a password for ${person.name}`, verb: 'Set it', reason: 'none',
    lines: ['All of their sessions end.'], fields: [{ name: 'password', label: 'Password, 12 characters or more', type: 'password', minimum: 12 }],
    act: values => send(`/people/${part(person.name)}/password`, { password: values.password }) });

