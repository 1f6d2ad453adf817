// history: what happened, what was there at an instant, and what differs between two. SPDX-License-Identifier: Apache-2.0
//
// Address: env, at (ms; absent: now), with (ms to compare with; "now"), steps (1: those of drivers and gates, too), before (a
// seq: what happened before it). The slider moves `at`; marks on it are plans.
import { part } from '../api.js';
import { Empty, Id, State, Table, When, useAnswer, waitsFor } from '../parts.js';
import { go, withQuery } from '../route.js';
import { store } from '../store.js';
import { exact, toInput } from '../time.js';
import { html, useState } from '../vendor/preact.js';
import { actorOf, plainly, plural, short, stateOf } from '../words.js';
import { EventList, isStep } from './events.js';
import { isShown } from './graph.js';
import { Lines } from './lines.js';

const STEPS = 1000, PAGE = 100;
const BEHIND_MAX = 300; // events of the stream before the page is read again: fewer than the store keeps

// --- an instant -------------------------------------------------------------------------------------

function planThen(plan) {
    return plan && html`<p class="then"><a href="/plans/${plan.id}">plan ${short(plan.id)}</a> <${State} word=${plan.state} /> <span title=${plan.reason}>${plainly(plan.reason)}</span>
        ${plan.decisions?.map(one => html`<span class="muted"> ${actorOf(one.actor)} ${one.verdict}${one.reason ? ` “${one.reason}”` : ''}</span>`)}</p>`;
}

function Then({ env, at }) {
    const answer = useAnswer(`/environments/${part(env)}/history${at ? `?at_ms=${at}` : ''}`, event => !at && event.environment === env);
    const waits = waitsFor(answer, 'What was there');
    if (waits)
        return waits;
    const { revision, plan } = answer.data, resources = answer.data.resources.filter(one => isShown(one.name));
    return html`<p>${revision?.revision ? html`Revision <strong>${revision.revision}</strong> <code>${short(revision.commits?.[0]?.commit)}</code> “${revision.commits?.[0]?.summary}”` : 'No revision was live.'}</p>
        ${planThen(plan)}
        ${resources.length ? html`<${Table} heads=${['what', 'status', 'by', 'desired']}>${resources.map(one => html`<tr>
            <td><code>${one.name}</code></td><td><${State} word=${one.status} /></td><td>${one.provider}</td><td><${Id} id=${one.digest} what="digest" /></td></tr>`)}<//>`
        : html`<${Empty} title="Nothing was there then" />`}`;
}

// --- two of them ------------------------------------------------------------------------------------

function Compared({ env, at, with_ }) {
    const other = with_ === 'now' ? null : Number(with_), from = Math.min(at ?? Infinity, other ?? Infinity), to = Math.max(at ?? Infinity, other ?? Infinity);
    const isPast = Number.isFinite(to);
    const answer = useAnswer(Number.isFinite(from) ? `/environments/${part(env)}/changes?from_ms=${from}${isPast ? `&to_ms=${to}` : ''}` : null, event => !isPast && event.environment === env);
    if (!Number.isFinite(from))
        return html`<${Empty} title="Both instants are now">Move the slider to an earlier one.<//>`;
    const waits = waitsFor(answer, 'What differs');
    if (waits)
        return waits;
    const { resources, plans, specs } = answer.data, shown = resources.filter(one => isShown(one.name));
    return html`<p class="muted">From <${When} ms=${from} /> (revision ${answer.data.from.revision?.revision ?? 'none'}) to ${isPast ? html`<${When} ms=${to} />` : 'now'} (revision ${answer.data.to.revision?.revision ?? 'none'})</p>
        ${specs && html`<h3>${plural(specs.lines.length, 'change')} of what was asked for</h3><${Lines} lines=${specs.lines} />`}
        ${shown.length ? html`<h3>${plural(shown.length, 'resource')} differ${shown.length === 1 ? 's' : ''}</h3>
            <ul class="plain">${shown.map(one => html`<li><code>${one.name}</code> ${one.was ? html`<del>${short(one.was.digest) || one.was.status}</del>` : html`<span class="muted">was not there</span>`}
            ${' → '}${one.is ? html`<ins>${short(one.is.digest) || one.is.status}</ins>` : html`<span class="muted">is there no more</span>`}</li>`)}</ul>` : !specs && html`<${Empty} title="Nothing differs" />`}
        ${plans.length > 0 && html`<h3>${plural(plans.length, 'plan')} in between</h3><ul class="plain">${plans.map(plan => html`<li>${planThen(plan)}</li>`)}</ul>`}`;
}

// --- the slider -------------------------------------------------------------------------------------

const choose = changes => go(withQuery(changes), { replaces: true });

function Slider({ env, at, with_ }) {
    const first = useAnswer(`/history?env=${part(env)}&limit=1&bodies=0`, () => false).data?.events[0]?.time_ms;
    const marks = useAnswer(`/environments/${part(env)}/plans?limit=200`, event => event.environment === env && event.kind.startsWith('plan.')).data?.plans ?? [];
    const [end] = useState(Date.now);
    if (!first)
        return null;
    const last = Math.max(end, ...marks.map(plan => plan.ended_ms ?? plan.made_ms)), span = Math.max(1, last - first);
    const toStep = ms => Math.round((ms - first) / span * STEPS), show = step => choose({ at: step >= STEPS ? null : Math.round(first + step / STEPS * span) });
    const here = at ? toStep(at) : STEPS, there = with_ && (with_ === 'now' ? STEPS : toStep(Number(with_)));
    return html`<div class="slider"><svg viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">
            ${with_ && html`<rect class="span" x=${Math.min(here, there)} y="0" width=${Math.abs(here - there)} height="12" />`}
            ${marks.map(plan => html`<rect key=${plan.id} class="mark ${stateOf(plan.state).tone}" x=${toStep(plan.ended_ms ?? plan.made_ms)} y="0" width="3" height="12" />`)}</svg>
        <input type="range" min="0" max=${STEPS} step="1" aria-label="Instant" aria-valuetext=${at ? exact(at) : 'now'} value=${here} onInput=${event => show(Number(event.target.value))} />
        <div class="ends"><span><${When} ms=${first} /></span><span>now</span></div></div>`;
}

function InstantField({ label, ms, change }) {
    return html`<label class="check">${label} <input type="datetime-local" step="1" value=${toInput(ms ?? Date.now())} onChange=${event => event.target.value && change(new Date(event.target.value).getTime())} /></label>`;
}

// The other one: now, or any.
function Other({ at, with_ }) {
    return html`<div class="bar other"><span class="muted">compared with</span> <strong>${with_ === 'now' ? 'now' : html`<${When} ms=${Number(with_)} />`}</strong>
        <${InstantField} label="or with" ms=${with_ === 'now' ? null : Number(with_)} change=${ms => choose({ with: ms })} />
        ${with_ !== 'now' && html`<button type="button" onClick=${() => choose({ with: 'now' })}>Compare with now</button>`}
        ${at && with_ === 'now' && html`<button type="button" onClick=${() => choose({ with: at })}>Compare others with this one</button>`}</div>`;
}

function Instant({ env, at, with_ }) {
    return html`<section class="instant"><div class="bar"><h2>${at ? html`At <${When} ms=${at} />` : 'Now'}</h2>
            <${InstantField} label="instant" ms=${at} change=${ms => choose({ at: ms })} />
            ${at && html`<button type="button" onClick=${() => choose({ at: null })}>Now</button>`}
            <button type="button" data-key="c" onClick=${() => choose({ with: with_ ? null : 'now' })}>${with_ ? 'Stop comparing' : 'Compare with now'}</button></div>
        ${with_ && html`<${Other} at=${at} with_=${with_} />`}
        <${Slider} env=${env} at=${at} with_=${with_} />
        ${with_ ? html`<${Compared} env=${env} at=${at} with_=${with_} />` : html`<${Then} env=${env} at=${at} />`}</section>`;
}

// --- what happened ----------------------------------------------------------------------------------

// A page of the past, and before the newest of it what the stream has told since.
function Happened({ env, at, before, hasSteps }) {
    const isPast = at || before;
    const answer = useAnswer(`/history?newest=1&bodies=0&limit=${PAGE}${hasSteps ? '' : '&steps=0'}${env ? `&env=${part(env)}` : ''}${at ? `&to_ms=${at}` : ''}${before ? `&before=${before}` : ''}`,
        event => !isPast && event.seq - (answer.data?.events[0]?.seq ?? 0) > BEHIND_MAX);
    const waits = waitsFor(answer, 'The history');
    if (waits)
        return waits;
    const read = answer.data.events, newest = read[0]?.seq ?? 0;
    const since = isPast ? [] : store.events.filter(one => one.seq > newest && (!env || one.environment === env) && (hasSteps || !isStep(one.kind))).reverse();
    return html`${read.length + since.length ? html`<${EventList} events=${[...since, ...read]} />` : html`<${Empty} title=${before ? 'Nothing happened before that' : 'Nothing has happened yet'} />`}
        <div class="buttons pages">${before && html`<a class="button" href=${withQuery({ before: null })}>Newest</a>`}
            ${answer.data.next && html`<a class="button" href=${withQuery({ before: answer.data.last })}>Older</a>`}</div>`;
}

export function History({ query }) {
    const env = query.get('env') ?? '', at = Number(query.get('at')) || null, with_ = query.get('with');
    const before = Number(query.get('before')) || null, hasSteps = query.get('steps') === '1';
    return html`<div class="page"><div class="bar"><h1>History</h1><label class="check">of <select aria-label="Environment" value=${env} onChange=${event => go(withQuery({ env: event.target.value, at: null, with: null, before: null }))}>
            <option value="">everything</option>${store.order.map(name => html`<option value=${name}>${name}</option>`)}</select></label></div>
        ${env && html`<${Instant} env=${env} at=${at} with_=${with_} />`}
        ${!env && store.order.length > 0 && html`<p class="muted">Choose an environment to travel in its time and to compare two instants.</p>`}
        <div class="bar below"><h2>What happened${at ? ' until then' : ''}</h2>
            <label class="check"><input type="checkbox" checked=${hasSteps} onChange=${() => choose({ steps: hasSteps ? null : '1', before: null })} /> each step of drivers and gates</label></div>
        <${Happened} key=${env} env=${env} at=${at} before=${before} hasSteps=${hasSteps} /></div>`;
}
