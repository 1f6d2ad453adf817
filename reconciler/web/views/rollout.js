// rollout: colours, probes, traffic and clocks of what is being rolled out. SPDX-License-Identifier: Apache-2.0
//
// Made of the environment and of its plan's progress, both of which events keep as they should be. A change is said once
// more in words, for who does not see it.
import { advance, cancel, may, undo } from '../acts.js';
import { part } from '../api.js';
import { State, When, ofEnvironment, useAnswer } from '../parts.js';
import { refresh } from '../store.js';
import { watchOf } from '../time.js';
import { html, useEffect, useState } from '../vendor/preact.js';
import { plainly, plural, short } from '../words.js';

const COUNTS_MS = 1000;
const READY = ['running', 'ready'], BACK = ['reverting', 'revert_failed'];

const newestFirst = sets => [...sets].sort((a, b) => (b.revision ?? 0) - (a.revision ?? 0));

// Of the requests to a service, the share that each of its sets gets.
function sharesOf(env, service) {
    const backends = new Map(service.sets.filter(set => set.backend).map(set => [set.backend, set]));
    for (const route of env.routes)
        if (backends.has(route.backend) || backends.has(route.canary)) {
            const share = route.weight / 100;
            return service.sets.map(set => [set, set.backend === route.backend ? share : set.backend && set.backend === route.canary ? 100 - share : 0]);
        }
    return service.sets.map(set => [set, set.state === 'live' ? 100 : 0]);
}

function Traffic({ shares }) {
    let x = 0;
    const text = shares.filter(([, share]) => share > 0).map(([set, share]) => `${set.colour} ${share} %`).join(', ') || 'none';
    return html`<div class="traffic"><span class="muted">traffic</span>
        <svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="traffic: ${text}">${shares.map(([set, share]) => {
            const bar = html`<rect class="colour-${set.colour}" x=${x} y="0" width=${share} height="8" />`;
            x += share;
            return bar;
        })}</svg><span>${text}</span></div>`;
}

// Ticks while something runs, and not otherwise.
function Clock({ since, length }) {
    const [, tick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => tick(n => n + 1), 1000);
        return () => clearInterval(timer);
    }, []);
    return html`<span class="figure">${watchOf(Math.min(Date.now() - since, length || Infinity))}${length ? ` of ${watchOf(length)}` : ''}</span>`;
}

const GATES = { ready: 'gets ready', bake: 'bakes', promote: 'is watched until a person says so', drained: 'drains', recover: 'recovers' };

// A gate is of a set, SERVICE@SET, or of a group by its digest.
function aboutOf(word, groups) {
    return groups.find(one => one.digest?.startsWith(word))?.services.join(', ') ?? word.split('@')[0];
}

// What a gate counts is in no event: while one is open it is asked for.
function useCounts(env, isOpen) {
    useEffect(() => {
        const path = `/environments/${part(env.name)}`;
        const timer = isOpen && setInterval(() => document.hidden || refresh(one => one === path), COUNTS_MS);
        return () => clearInterval(timer);
    }, [env.name, isOpen]);
    return env.live?.environments[env.name]?.gates ?? [];
}

function Counted({ kind, one, isMany }) {
    const text = kind === 'drained' ? plural(one.streams, 'connection') + ' open' : `${plural(one.requests, 'request')}, ${plural(one.errors, 'error')}`;
    return html`<span class=${one.errors ? 'failed' : 'muted'}>${isMany && `${one.service}: `}${text}</span>`;
}

function Gate({ gate, groups, counts }) {
    const [kind, word = ''] = gate.name.split(':'), own = counts.filter(one => one.gate === gate.name && (kind !== 'drained' || one.streams >= 0));
    return html`<li><span>${aboutOf(word, groups)} ${GATES[kind] ?? kind}</span> <${Clock} since=${gate.since_ms ?? gate.intent_ms} length=${gate.length_ms} />
        ${own.map(one => html` <${Counted} kind=${kind} one=${one} isMany=${own.length > 1} />`)}</li>`;
}

function Probe({ one }) {
    const isWell = READY.includes(one.state);
    return html`<span class="probe ${isWell ? 'ok' : one.state}" title="${one.ordinal}: ${one.state}${one.address ? ` at ${one.address}` : ''}${one.restarts ? `, ${plural(one.restarts, 'restart')}` : ''}">${isWell ? 'ok' : one.state}</span>`;
}

// What is made and has traffic is on trial.
function Set({ set, share }) {
    const ready = set.instances.filter(one => READY.includes(one.state)).length, bad = set.instances.find(one => one.exit);
    return html`<li class="set"><span class="chip colour-${set.colour}" aria-hidden="true"></span><span>${set.colour}</span>
        <${State} word=${set.state === 'making' && share > 0 ? 'proving' : set.state} /><span>revision ${set.revision ?? '?'}</span><span>${ready}/${set.replicas} up</span>
        <span class="probes" role="group" aria-label="instances">${set.instances.map(one => html`<${Probe} one=${one} />`)}</span>
        ${bad && html`<span class="state failed">${bad.exit}</span>`}</li>`;
}

function Service({ env, service }) {
    const shares = sharesOf(env, service), shareOf = new Map(shares);
    return html`<li class="service"><strong>${service.name}</strong><ul class="sets">${newestFirst(service.sets).map(set => html`<${Set} key=${set.set} set=${set} share=${shareOf.get(set)} />`)}</ul>
        <${Traffic} shares=${shares} /></li>`;
}

function Counters({ progress, steps }) {
    const lost = progress.rollouts.reduce((n, one) => n + one.lost, 0);
    return html`<p class="counters">${steps > 0 && html`<span>${progress.n_done} of ${plural(steps, 'step')} done</span>`}<span>${plural(lost, 'request')} lost</span></p>`;
}

function sentenceOf(env, progress) {
    const services = env.services.filter(one => one.sets.length > 1).map(one => {
        const newest = newestFirst(one.sets)[0];
        const traffic = sharesOf(env, one).find(([set]) => set === newest)[1];
        return `${one.name}: ${newest.colour} ${newest.instances.filter(i => READY.includes(i.state)).length} of ${newest.replicas} up, ${traffic} % of the traffic`;
    });
    return [progress?.rollouts.map(one => one.state)[0], ...services].filter(Boolean).join('. ');
}

function titleOf(plan, isRunning, isOfPlan, shown) {
    if (!isRunning)
        return shown.some(one => one.sets.some(set => set.state === 'previous')) ? 'Kept for undo' : 'Going away';
    return isOfPlan ? 'Rollout' : html`Rollout of <a href="/plans/${plan.id}">plan ${short(plan.id)}</a>`;
}

function Buttons({ env, isRunning }) {
    const canUndo = env.services.some(service => service.sets.some(set => set.state === 'previous'));
    return may.operate() && html`<div class="buttons">${canUndo && html`<button type="button" data-key="u" onClick=${() => undo(env.name)}>Undo …</button>`}
        ${isRunning && html`<button type="button" data-key="v" onClick=${() => advance(env.name)}>Advance …</button>
        <button type="button" class="danger" onClick=${() => cancel(env.name)}>Cancel …</button>`}</div>`;
}

// `isOfPlan`: stands on the page of the plan, which has said what it is.
export function Rollout({ env, isOfPlan }) {
    const plan = env.plan, isRunning = plan && ['approved', 'applying'].includes(plan.state);
    const progress = useAnswer(isRunning ? `/plans/${plan.id}/progress` : null, ofEnvironment(env.name)).data;
    const core = useAnswer(isRunning ? `/plans/${plan.id}` : null, () => false).data?.document.core;
    const shown = env.services.filter(service => isRunning || service.sets.length > 1);
    const gates = progress?.running.filter(one => one.kind === 'gate' && !one.name.startsWith('keep:')) ?? [];
    const counts = useCounts(env, gates.length > 0);
    const failed = progress?.rollouts.filter(one => one.reason) ?? [];
    const back = progress?.rollouts.map(one => one.state).find(state => BACK.includes(state));
    if (!shown.length && !isRunning)
        return null;
    return html`<section class="rollout ${isRunning ? 'runs' : ''}" aria-label="Rollout"><div class="bar"><h2>${titleOf(plan, isRunning, isOfPlan, shown)}</h2>
            ${isRunning && (back || !isOfPlan) && html`<${State} word=${back ?? plan.state} />`}
            ${isRunning && html`<${Clock} since=${plan.started_ms ?? plan.made_ms} />`}
            <${Buttons} env=${env} isRunning=${isRunning} /></div>
        ${failed.map(one => html`<div class="notice failed" title=${one.reason}><strong>${one.culprit ? `${one.culprit}: ` : ''}</strong>${plainly(one.reason)}</div>`)}
        ${progress?.waits && html`<div class="notice waiting"><strong>◆ Waiting for a person:</strong> ${progress.waits}</div>`}
        <ul class="services">${shown.map(service => html`<${Service} key=${service.name} env=${env} service=${service} />`)}</ul>
        ${gates.length > 0 && html`<ul class="gates">${gates.map(gate => html`<${Gate} key=${gate.uid} gate=${gate} groups=${core?.groups ?? []} counts=${counts} />`)}</ul>`}
        ${progress && html`<${Counters} progress=${progress} steps=${core?.items.filter(item => item.lane === 'main').length ?? 0} />`}
        <p class="hidden" role="status" aria-live="polite">${isRunning ? sentenceOf(env, progress) : ''}</p></section>`;
}

// How the last one went, until the next.
export function Past({ last }) {
    const why = last?.reason || last?.culprit;
    return why ? html`<div class="notice failed"><strong>↩ The last rollout ${last.state === 'reverted' ? 'went back' : last.state}:</strong> <span title=${why}>${plainly(why)}</span>
        <span class="muted"> · <${When} ms=${last.began_ms} /> · ${plural(last.lost, 'request')} lost</span>${last.plan && html` · <a href="/plans/${last.plan}">plan ${short(last.plan)}</a>`}</div>` : null;
}
