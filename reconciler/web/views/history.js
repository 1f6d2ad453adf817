// history: what happened, what was there at an instant, and what differs between two. SPDX-License-Identifier: Apache-2.0
//
// Address: env, at (ms; absent: now), with (ms to compare with; "now"), steps (1: those of drivers and gates, too), before (a
// seq: what happened before it). The slider moves `at`; marks on it are plans.
import { part } from '../api.js';
import { Empty, Id, State, Table, When, useAnswer, waitsFor } from '../parts.js';
import { go, withQuery } from '../route.js';
import { store } from '../store.js';
import { exact, toInput, zone } from '../time.js';
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
    const commit = revision?.commits?.[0];
    return html`<p>${revision?.revision ? html`Revision <strong>${revision.revision}</strong> ${commit && html`<code>${short(commit.commit)}</code> “${commit.summary}” by ${commit.author}`}` : 'No revision was live.'}</p>
        ${planThen(plan)}
        ${resources.length ? html`<${Table} heads=${['resource', 'status', 'provider', 'specification']}>${resources.map(one => html`<tr>
            <td><code>${one.name}</code></td><td><${State} word=${one.status} /></td><td>${one.provider}</td><td><${Id} id=${one.digest} what="digest" /></td></tr>`)}<//>`
        : html`<${Empty} title="There were no resources then" />`}`;
}

// --- two of them ------------------------------------------------------------------------------------

function differs({ was, is }) {
    if (!was || !is)
        return was ? 'was removed' : 'was added';
    return was.status === is.status ? 'was changed' : `was ${stateOf(was.status).text}, is ${stateOf(is.status).text}`;
}

function Compared({ env, at, with_ }) {
    const other = with_ === 'now' ? null : Number(with_), from = Math.min(at ?? Infinity, other ?? Infinity), to = Math.max(at ?? Infinity, other ?? Infinity);
    const isPast = Number.isFinite(to);
    const answer = useAnswer(Number.isFinite(from) ? `/environments/${part(env)}/changes?from_ms=${from}${isPast ? `&to_ms=${to}` : ''}` : null, event => !isPast && event.environment === env);
    if (!Number.isFinite(from))
        return html`<${Empty} title="Both points in time are now">Move the slider to an earlier one.<//>`;
    const waits = waitsFor(answer, 'What differs');
    if (waits)
        return waits;
    const { resources, plans, specs } = answer.data, shown = resources.filter(one => isShown(one.name));
    return html`<p class="muted">From <${When} ms=${from} /> (revision ${answer.data.from.revision?.revision ?? 'none'}) to ${isPast ? html`<${When} ms=${to} />` : 'now'} (revision ${answer.data.to.revision?.revision ?? 'none'})</p>
        ${specs && html`<h3>${plural(specs.lines.length, 'change')} in the specs</h3><${Lines} lines=${specs.lines} isPast=${true} />`}
        ${shown.length ? html`<h3>${plural(shown.length, 'resource')} differ${shown.length === 1 ? 's' : ''}</h3>
            <ul class="plain">${shown.map(one => html`<li><code>${one.name}</code> ${differs(one)}</li>`)}</ul>` : !specs && html`<${Empty} title="Nothing differs" />`}
        ${plans.length > 0 && html`<h3>${plural(plans.length, 'plan')} in between, the oldest first</h3><ul class="plain">${plans.map(plan => html`<li>${planThen(plan)}</li>`)}</ul>`}`;
}

// --- the slider -------------------------------------------------------------------------------------

const choose = changes => go(withQuery(changes), { replaces: true });

const timeOf = plan => plan.ended_ms ?? plan.made_ms;

// What ended well is half as high as what did not.
function markOf(plan, x) {
    const { tone, text } = stateOf(plan.state), y = tone === 'calm' || tone === 'muted' ? 6 : 0;
    return html`<rect key=${plan.id} class="mark ${tone}" x=${x} y=${y} width="3" height=${12 - y}><title>plan ${short(plan.id)} ${text}</title></rect>`;
}

function Slider({ env, at, with_ }) {
    const first = useAnswer(`/history?env=${part(env)}&limit=1&bodies=0`, () => false).data?.events[0]?.time_ms;
    const marks = useAnswer(`/environments/${part(env)}/plans?limit=200`, event => event.environment === env && event.kind.startsWith('plan.')).data?.plans ?? [];
    const [end] = useState(Date.now);
    if (!first)
        return null;
    const times = marks.map(timeOf).sort((a, b) => a - b), last = Math.max(end, ...times), span = Math.max(1, last - first);
    const earlier = times.findLast(ms => ms < (at ?? Infinity)), later = times.find(ms => ms > (at ?? Infinity));
    const toStep = ms => Math.round((ms - first) / span * STEPS), show = step => choose({ at: step >= STEPS ? null : Math.round(first + step / STEPS * span) });
    const here = at ? toStep(at) : STEPS, there = with_ && (with_ === 'now' ? STEPS : toStep(Number(with_)));
    return html`<div class="slider"><svg viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">
            ${with_ && html`<rect class="span" x=${Math.min(here, there)} y="0" width=${Math.abs(here - there)} height="12" />`}
            ${marks.map(plan => markOf(plan, toStep(timeOf(plan))))}</svg>
        <input type="range" min="0" max=${STEPS} step="1" aria-label="Point in time" aria-valuetext=${at ? exact(at) : 'now'} value=${here} onInput=${event => show(Number(event.target.value))} />
        <div class="ends"><span><${When} ms=${first} /></span><button type="button" disabled=${!earlier} onClick=${() => choose({ at: earlier })}>‹ Plan before</button>
            <button type="button" disabled=${!later} onClick=${() => choose({ at: later })}>Plan after ›</button><span>now</span></div></div>`;
}

function PointField({ label, ms, change }) {
    const [now] = useState(Date.now), at = ms ?? now;
    return html`<label class="check">${label} (${zone(at)}) <input type="datetime-local" step="1" value=${toInput(at)} onChange=${event => event.target.value && change(new Date(event.target.value).getTime())} /></label>`;
}

// The other one: now, or any.
function Other({ at, with_ }) {
    return html`<div class="bar other"><strong>Compared with ${with_ === 'now' ? 'now' : html`<${When} ms=${Number(with_)} />`}</strong>
        <${PointField} label="or with" ms=${with_ === 'now' ? null : Number(with_)} change=${ms => choose({ with: ms })} />
        ${with_ !== 'now' && html`<button type="button" onClick=${() => choose({ with: 'now' })}>Compare with now</button>`}
        ${at && with_ === 'now' && html`<button type="button" onClick=${() => choose({ with: at })}>Pin this point and move the other</button>`}</div>`;
}

function Instant({ env, at, with_ }) {
    return html`<section class="instant"><div class="bar"><h2>${at ? html`At <${When} ms=${at} />` : 'Now'}</h2>
            <${PointField} label="time" ms=${at} change=${ms => choose({ at: ms })} />
            ${at && html`<button type="button" onClick=${() => choose({ at: null })}>Now</button>`}
            <button type="button" data-key="c" onClick=${() => choose({ with: with_ ? null : 'now' })}>${with_ ? 'Stop comparing' : at ? 'Compare with now' : 'Compare'}</button></div>
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
        ${!env && store.order.length > 0 && html`<p class="muted">Choose an environment to see it at a point in time, and to compare two.</p>`}
        <div class="bar below"><h2>What happened${at ? ' until then' : ''}</h2>
            <label class="check"><input type="checkbox" checked=${hasSteps} onChange=${() => choose({ steps: hasSteps ? null : '1', before: null })} /> with each step of drivers and gates</label></div>
        <${Happened} key=${env} env=${env} at=${at} before=${before} hasSteps=${hasSteps} /></div>`;
}
