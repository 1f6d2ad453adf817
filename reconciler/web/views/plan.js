// plan: what will be done, what an approval of it binds, and who said what. SPDX-License-Identifier: Apache-2.0
import { approve, may, override, reject } from '../acts.js';
import { part } from '../api.js';
import { Id, State, Table, When, useAnswer, waitsFor } from '../parts.js';
import { lengthOf } from '../time.js';
import { html } from '../vendor/preact.js';
import { actorOf, plainly, plural, short, stateOf } from '../words.js';
import { Lines, riskOf } from './lines.js';
import { Rollout } from './rollout.js';

const OPEN = ['open', 'waiting', 'approved'];

const commitOf = revision => revision?.commits?.[0];

// A number that can be opened.
function Counted({ names, what }) {
    return names.length ? html`<details class="counted"><summary>${plural(names.length, what)}</summary><ul class="plain">${names.map(name => html`<li><code>${name}</code></li>`)}</ul></details>`
        : html`<span>no ${what}s</span>`;
}

// What an approval is of: when one of these moves, it is of nothing.
function Binds({ plan }) {
    const { core, lines } = plan.document, risk = riskOf(lines);
    return html`<dl class="facts"><dt>risk</dt><dd><span class=${risk.isRisky ? 'state degraded' : ''}>${risk.isRisky && html`<span class="shape" aria-hidden="true">▲</span>`}${risk.harms}</span><span>${risk.counts}</span></dd>
        <dt>binds</dt><dd>
            <span>${plan.source}/${plan.branch} at <${Id} id=${commitOf(plan.target)?.commit} what="commit" /></span>
            <${Counted} names=${core.reads.map(one => `${one.subject} ${one.path}`)} what="read" />
            <${Counted} names=${Object.keys(core.secrets ?? {})} what="secret" />
            <span>drivers ${(core.drivers ?? []).map(one => `${one.name} ${one.version}`).join(', ') || 'none'}</span></dd>
        <dt>changes</dt><dd>revision ${plan.base.revision ?? 'none'} → ${plan.target.revision ?? 'none'}${commitOf(plan.target) && html`<span>“${commitOf(plan.target).summary}” by ${commitOf(plan.target).author}</span>`}</dd>
        <dt>made</dt><dd><${When} ms=${plan.made_ms} />${plan.expires_ms && OPEN.includes(plan.state) && html`<span>expires <${When} ms=${plan.expires_ms} /></span>`}</dd></dl>`;
}

function Needs({ plan }) {
    const needs = plan.needs, given = plan.decisions.filter(one => one.verdict === 'approved').length;
    if (!needs)
        return null;
    const who = needs.approvers?.length ? ` from ${needs.approvers.map(list => list.join(' or ')).join(', and ')}` : '';
    const authors = [...new Set(plan.authors.map(one => one.name))];
    return html`<p>Needs <strong>${plural(needs.min, 'approval')}</strong>${who}; ${given || 'none'} given so far.
        ${authors.length > 0 && !needs.allow_self && ` ${authors.join(', ')} made it and cannot approve it.`}
        ${needs.signed && ' Approvals have to be signed.'} An approval is valid for ${lengthOf(needs.expires_ms)}.</p>`;
}

function Decisions({ decisions }) {
    return decisions.length > 0 && html`<h2>Decisions</h2><ul class="plain" aria-live="polite">${decisions.map(one => html`<li>
        <${State} word=${one.verdict} /> <strong>${actorOf(one.person || one.actor)}</strong>${one.reason && html` “${one.reason}”`}${' '}
        <span class="muted"><${When} ms=${one.at_ms} /></span></li>`)}</ul>`;
}

function Operations({ operations }) {
    return operations.length > 0 && html`<details><summary><h2>${plural(operations.length, 'operation')}</h2></summary><${Table} heads=${['what', 'on', 'phase', 'outcome', 'when']}>
        ${operations.map(one => html`<tr><td>${one.action}</td><td><code>${one.kind}/${one.name}</code></td><td>${one.phase.toLowerCase()}</td>
            <td>${one.outcome && html`<${State} word=${one.outcome} />`} ${one.message}</td><td><${When} ms=${one.intent_ms} /></td></tr>`)}<//></details>`;
}

function Buttons({ plan }) {
    if (!OPEN.includes(plan.state))
        return null;
    return html`<div class="buttons sticky">
        ${may.approve() && html`<button type="button" class="primary" data-key="a" onClick=${() => approve(plan)}>Approve …</button>`}
        ${may.reject() && html`<button type="button" data-key="r" onClick=${() => reject(plan)}>Reject …</button>`}
        ${may.override() && html`<button type="button" class="danger" onClick=${() => override(plan)}>Override …</button>`}
        ${!may.approve() && html`<p class="muted">You may read it; approving needs the role approver.</p>`}</div>`;
}

export function Plan({ name }) {
    const answer = useAnswer(`/plans/${part(name)}`, event => !answer.data || event.environment === answer.data.environment);
    const environment = answer.data?.environment;
    const env = useAnswer(environment && ['applying', 'approved'].includes(answer.data.state) ? `/environments/${part(environment)}` : null,
        event => event.environment === environment);
    const plan = answer.data, waits = waitsFor(answer, `Plan ${short(name)}`);
    if (waits)
        return html`<div class="page"><h1>Plan ${short(name)}</h1>${waits}</div>`;
    return html`<div class="page"><a class="hidden" data-key="Escape" href="/plans">All plans</a>
        <div class="bar"><h1>Plan <${Id} id=${plan.id} what="plan" /> for <a href="/environments/${part(plan.environment)}">${plan.environment}</a></h1>
            <${State} word=${plan.state} label=${plan.state === 'waiting' ? 'waiting for approval' : undefined} /></div>
        ${plan.reason && html`<p class="why ${stateOf(plan.state).tone}" title=${plan.reason}>${plainly(plan.reason)}</p>`}
        ${plan.superseded_by && html`<div class="notice held"><strong>Superseded.</strong> Another plan came instead: <a href="/plans/${plan.superseded_by}">${short(plan.superseded_by)}</a>.
            ${plan.difference && html`<p>${plan.difference.because.join('; ')}</p><${Lines} lines=${plan.difference.lines} />`}</div>`}
        <${Binds} plan=${plan} />
        <${Needs} plan=${plan} />
        ${env.data && html`<${Rollout} env=${env.data} isOfPlan=${true} />`}
        <${Decisions} decisions=${plan.decisions} />
        <h2>${plural(plan.document.lines.length, 'change')}</h2>
        <${Lines} lines=${plan.document.lines} />
        ${[...plan.document.notes, ...plan.document.remarks].length > 0 && html`<h2>Notes</h2><ul class="plain">${[...plan.document.notes, ...plan.document.remarks].map(text => html`<li>${text}</li>`)}</ul>`}
        <${Operations} operations=${plan.operations} />
        <${Buttons} plan=${plan} /></div>`;
}
