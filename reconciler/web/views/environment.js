// environment: what it is made of, how it stands and why, and what is being done. SPDX-License-Identifier: Apache-2.0
import { hold, may, reconcile, resume, retry, rollback } from '../acts.js';
import { part } from '../api.js';
import { Id, State, Table, When, ofEnvironment, useAnswer, waitsFor } from '../parts.js';
import { go, withQuery } from '../route.js';
import { html } from '../vendor/preact.js';
import { actorOf, plainly, plural, short, stateOf } from '../words.js';
import { Graph, isShown } from './graph.js';
import { Resource } from './resource.js';
import { Past, Rollout } from './rollout.js';

const QUARANTINED_SHOWN = 3;

function Holds({ holds }) {
    return holds.map(hold => html`<div class="notice held"><strong>‖ Held${hold.service ? `: ${hold.service}` : ''}</strong> by ${actorOf(hold.actor)}: “${hold.reason}”
        ${hold.until_ms && html` until <${When} ms=${hold.until_ms} />`}</div>`);
}

// `said`: the reason that stands above.
function Quarantined({ one, said }) {
    const commit = one.revision?.commits?.[0];
    return html`<li title=${one.text}>${one.revision ? html`<strong>revision ${one.revision.revision}</strong> ${commit && html`<code>${short(commit.commit)}</code> “${commit.summary}”`}` : html`<strong>${one.culprit}</strong>`}
        ${one.reason !== said && html`<span class="because"> · ${plainly(one.reason)}</span>`}${one.until_ms && html`<span class="muted"> · until <${When} ms=${one.until_ms} /></span>`}</li>`;
}

// The newest first, and few of them: a commit that mends it does not lift those before.
function Quarantine({ quarantine, said }) {
    const all = [...quarantine].sort((a, b) => (b.revision?.revision ?? 0) - (a.revision?.revision ?? 0)), rest = all.slice(QUARANTINED_SHOWN);
    const list = some => html`<ul class="plain">${some.map(one => html`<${Quarantined} key=${one.text} one=${one} said=${said} />`)}</ul>`;
    return all.length > 0 && html`<div class="notice failed"><strong>✕ Quarantined: not tried again</strong> ${list(all.slice(0, QUARANTINED_SHOWN))}
        ${rest.length > 0 && html`<details><summary>${plural(rest.length, 'earlier one')}</summary>${list(rest)}</details>`}</div>`;
}

// Each reason once: what a notice below says is not said here.
function Why({ env }) {
    const below = [...env.quarantine.map(one => `${one.text} ${one.reason}`), ...env.holds.map(one => one.reason), env.plan?.reason ?? ''];
    const lines = [...new Set([env.reason, ...env.because].filter(Boolean))].filter(text => !text.startsWith('quarantined: ') && !below.some(said => said.includes(text)));
    if (!lines.length)
        return null;
    const { text: word, shape, tone } = stateOf(env.sync), isGrave = ['failed', 'held'].includes(tone);
    return html`<div class="${isGrave ? 'notice' : 'why'} ${tone}">${isGrave && html`<strong>${shape} ${word[0].toUpperCase() + word.slice(1)}</strong>`}
        <ul class="plain">${lines.map(text => html`<li title=${text}>${plainly(text)}</li>`)}</ul></div>`;
}

function Buttons({ env }) {
    if (!may.operate())
        return null;
    return html`<div class="buttons">
        ${env.holds.length ? html`<button type="button" onClick=${() => resume(env.name)}>Resume …</button>` : html`<button type="button" onClick=${() => hold(env.name)}>Hold …</button>`}
        ${(env.quarantine.length > 0 || env.live?.environments?.[env.name]?.failures > 0) && html`<button type="button" onClick=${() => retry(env.name)}>Retry …</button>`}
        <button type="button" onClick=${() => reconcile(env.name)}>Reconcile …</button>
        ${env.revisions.length > 1 && html`<button type="button" onClick=${() => rollback(env.name, env.revisions, env.revision)}>Roll back …</button>`}</div>`;
}

function Revisions({ env }) {
    return env.revisions.length > 0 && html`<details><summary><h2>Revisions</h2></summary><${Table} heads=${['no.', 'commit', 'what', 'by', 'made', '']}>
        ${env.revisions.map(one => html`<tr><td>${one.revision}</td><td><code>${short(one.commits?.[0]?.commit)}</code></td><td>${one.commits?.[0]?.summary}</td><td>${one.commits?.[0]?.author}</td>
            <td><${When} ms=${one.made_ms} /></td><td>${one.revision === env.revision ? 'live, ' : ''}${one.proven ? 'proven' : 'never proven'}</td></tr>`)}<//></details>`;
}

function Jobs({ jobs }) {
    return jobs.length > 0 && html`<h2>Jobs</h2><${Table} heads=${['job', 'schedule', 'next', 'last run']}>${jobs.map(job => html`<tr><td>${job.name}</td>
        <td><code>${job.schedule ?? 'by hand'}</code> ${job.tz}</td><td><${When} ms=${job.next_ms} /></td><td>${job.runs[0] ? html`<${State} word=${job.runs[0].state} /> <${When} ms=${job.runs[0].began_ms ?? job.runs[0].at_ms} />` : 'never'}</td></tr>`)}<//>`;
}

// What is chosen is told below: on a small screen it is brought into sight.
function choose(at) {
    go(withQuery({ at, open: null }), { replaces: true });
    document.querySelector('.resource > .bar')?.scrollIntoView({ block: 'nearest' });
}

export function Environment({ name, query }) {
    const path = `/environments/${part(name)}`, touched = ofEnvironment(name);
    const answer = useAnswer(path, touched), then = useAnswer(`${path}/history`, touched);
    const past = useAnswer(`${path}/rollouts?limit=1`, touched);
    const env = answer.data, waits = waitsFor(answer, `Environment ${name}`), chosen = query.get('at');
    if (waits)
        return html`<div class="page"><h1>${name}</h1>${waits}</div>`;
    const resources = then.data?.resources ?? env.resources, plan = env.plan, last = plan?.state === 'applying' ? null : past.data?.rollouts[0];
    return html`<div class="page"><a class="hidden" data-key="Escape" href="/environments">All environments</a>
        <div class="bar"><h1>${env.name}</h1><${State} word=${env.sync} />${env.health !== 'unknown' && html`<${State} word=${env.health} />`}
            <span class="muted about">${env.source}/${env.branch}${env.commit && html` at <${Id} id=${env.commit} what="commit" />`}${env.revision ? ` · revision ${env.revision} is live` : ''}</span>
            <a href="/history?env=${part(name)}">history</a><${Buttons} env=${env} /></div>
        <${Why} env=${env} /><${Holds} holds=${env.holds} />
        ${plan && ['open', 'waiting'].includes(plan.state) && html`<div class="notice waiting"><strong>◆ Plan ${short(plan.id)} waits:</strong> <span title=${plan.reason}>${plainly(plan.reason)}</span> <a class="button" data-row href="/plans/${plan.id}">Review the plan</a></div>`}
        <${Rollout} env=${env} />
        <${Past} last=${last} />
        <${Quarantine} quarantine=${env.quarantine} said=${last?.reason} />
        <h2 class="hidden">Resources</h2>
        ${resources.some(one => isShown(one.name)) ? html`<${Graph} env=${env} resources=${resources} chosen=${chosen} choose=${at => choose(at === chosen ? null : at)} />`
            : html`<p class="muted">Nothing has been created yet.</p>`}
        ${chosen && html`<${Resource} env=${env} name=${chosen} resource=${resources.find(one => one.name === chosen)} tab=${query.get('tab') ?? ''} />`}
        <${Jobs} jobs=${env.jobs} /><${Revisions} env=${env} /></div>`;
}
