// rollout: colours, probes, traffic and clocks of what is being rolled out. SPDX-License-Identifier: Apache-2.0
//
// Made of the environment and of its plan's progress, both of which events keep as they should be. A change is said once
// more in words, for who does not see it.
import { advance, cancel, may, undo } from '../acts.js';
import { part } from '../api.js';
import { State, When, ofEnvironment, useAnswer } from '../parts.js';
import { watchOf } from '../time.js';
import { html, useEffect, useState } from '../vendor/preact.js';
import { plural } from '../words.js';

const READY = ['running', 'ready'];

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

const GATES = { ready: 'gets ready', bake: 'bakes', pause: 'pauses', keep: 'keeps the set before', drained: 'drains', recover: 'recovers', approval: 'waits for a person' };

// A gate is of a set, SERVICE@SET, or of a group by its digest.
function aboutOf(word, groups) {
    return groups.find(one => one.digest?.startsWith(word))?.services.join(', ') ?? word.split('@')[0];
}

function Gate({ gate, groups }) {
    const [kind, word = ''] = gate.name.split(':'), have = Object.entries(gate.have ?? {}).filter(([, value]) => typeof value !== 'object');
    return html`<li><span>${aboutOf(word, groups)} ${GATES[kind] ?? kind}</span> <${Clock} since=${gate.since_ms ?? gate.intent_ms} length=${gate.length_ms} />
        ${have.length > 0 && html`<span class="muted">${have.map(([name, value]) => `${name} ${value}`).join(' · ')}</span>`}</li>`;
}

function Set({ set }) {
    const ready = set.instances.filter(one => READY.includes(one.state)).length, bad = set.instances.find(one => one.exit);
    return html`<li class="set"><span class="chip colour-${set.colour}" aria-hidden="true"></span><span>${set.colour}</span>
        <${State} word=${set.state} /><span>revision ${set.revision ?? '?'}</span><span>${ready}/${set.replicas} up</span>
        <span class="probes" aria-label="instances">${set.instances.map(one => html`<span class="probe ${READY.includes(one.state) ? 'ok' : one.state}" title="${one.ordinal}: ${one.state}${one.address ? ` at ${one.address}` : ''}${one.restarts ? `, ${plural(one.restarts, 'restart')}` : ''}">${READY.includes(one.state) ? 'ok' : one.state}</span>`)}</span>
        ${bad && html`<span class="state failed">${bad.exit}</span>`}</li>`;
}

function Service({ env, service }) {
    return html`<li class="service"><strong>${service.name}</strong><ul class="sets">${[...service.sets].sort((a, b) => (b.revision ?? 0) - (a.revision ?? 0)).map(set => html`<${Set} key=${set.set} set=${set} />`)}</ul>
        <${Traffic} shares=${sharesOf(env, service)} /></li>`;
}

function Counters({ rollouts }) {
    const lost = rollouts.reduce((n, one) => n + one.lost, 0);
    const counted = rollouts.flatMap(one => Object.entries(one.counters ?? {})).filter(([, value]) => typeof value !== 'object');
    return html`<p class="counters">${plural(lost, 'request')} lost${counted.map(([name, value]) => html` · <span>${name} ${value}</span>`)}</p>`;
}

function sentenceOf(env, progress) {
    const services = env.services.filter(one => one.sets.length > 1).map(one => {
        const newest = [...one.sets].sort((a, b) => (b.revision ?? 0) - (a.revision ?? 0))[0];
        const traffic = sharesOf(env, one).find(([set]) => set === newest)[1];
        return `${one.name}: ${newest.colour} ${newest.instances.filter(i => READY.includes(i.state)).length} of ${newest.replicas} up, ${traffic} % of the traffic`;
    });
    return [progress?.rollouts.map(one => one.state)[0], ...services].filter(Boolean).join('. ');
}

export function Rollout({ env }) {
    const plan = env.plan, isRunning = plan && ['approved', 'applying'].includes(plan.state);
    const progress = useAnswer(isRunning ? `/plans/${plan.id}/progress` : null, ofEnvironment(env.name)).data;
    const groups = useAnswer(isRunning ? `/plans/${plan.id}` : null, () => false).data?.document.core.groups ?? [];
    const shown = env.services.filter(service => isRunning || service.sets.length > 1);
    const canUndo = may.operate() && env.services.some(service => service.sets.some(set => set.state === 'previous'));
    const gates = progress?.running.filter(one => one.kind === 'gate' && !one.name.startsWith('keep:')) ?? [];
    const failed = progress?.rollouts.filter(one => one.reason) ?? [];
    if (!shown.length && !isRunning)
        return null;
    return html`<section class="rollout ${isRunning ? 'runs' : ''}" aria-label="Rollout"><div class="bar"><h2>${isRunning ? html`Rollout of <a href="/plans/${plan.id}">plan ${plan.id.slice(0, 8)}</a>` : shown.some(one => one.sets.some(set => set.state === 'previous')) ? 'Kept, to go back to at once' : 'Going away'}</h2>
            ${isRunning && html`<${State} word=${progress?.rollouts.some(one => one.state === 'reverting') ? 'reverting' : plan.state} />`}
            ${isRunning && html`<${Clock} since=${plan.started_ms ?? plan.made_ms} />`}
            <div class="buttons">${canUndo && html`<button type="button" data-key="u" onClick=${() => undo(env.name)}>Undo …</button>`}
                ${isRunning && may.operate() && html`<button type="button" data-key="v" onClick=${() => advance(env.name)}>Advance …</button>
                <button type="button" class="danger" onClick=${() => cancel(env.name)}>Cancel …</button>`}</div></div>
        ${failed.map(one => html`<div class="notice failed"><strong>${one.culprit ? `${one.culprit}: ` : ''}</strong>${one.reason}</div>`)}
        ${progress?.waits && html`<div class="notice waiting"><strong>Waits for a person.</strong> ${progress.waits}</div>`}
        <ul class="services">${shown.map(service => html`<${Service} key=${service.name} env=${env} service=${service} />`)}</ul>
        ${gates.length > 0 && html`<ul class="gates">${gates.map(gate => html`<${Gate} key=${gate.uid} gate=${gate} groups=${groups} />`)}</ul>`}
        ${progress && html`<${Counters} rollouts=${progress.rollouts} />`}
        <p class="hidden" role="status" aria-live="polite">${isRunning ? sentenceOf(env, progress) : ''}</p></section>`;
}

// How the last one went, until the next.
export function Past({ rollouts }) {
    const last = rollouts?.[0];
    return last?.reason || last?.culprit ? html`<div class="notice failed"><strong>↩ The last rollout ${last.state === 'reverted' ? 'went back' : last.state}.</strong> <span>${last.reason || last.culprit}</span>
        <span class="muted"> <${When} ms=${last.began_ms} /> · ${plural(last.lost, 'request')} lost</span>${last.plan && html` · <a href="/plans/${last.plan}">plan ${last.plan.slice(0, 8)}</a>`}</div>` : null;
}
