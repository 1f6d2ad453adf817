// events: rows of the history, the newest first. SPDX-License-Identifier: Apache-2.0
import { part } from '../api.js';
import { Empty, When, useAnswer, waitsFor } from '../parts.js';
import { html } from '../vendor/preact.js';
import { actorOf, plainly, short } from '../words.js';
import { Recorded, openIn, toggle } from './recorded.js';

const TONES = [[/\.(failed|reverting|reverted|refused|denied)/, '✕', 'failed'], [/^command\./, '◆', 'waiting'], [/\.(proven|applied|ended)$/, '✓', 'calm']];

// What people read; a kind that is not here is its own words.
const WORDS = {
    'command.approve': 'approved', 'command.reject': 'rejected', 'command.override': 'overrode', 'command.hold': 'held', 'command.resume': 'resumed',
    'command.undo': 'undid', 'command.rollback': 'rolled back', 'command.retry': 'retried', 'command.advance': 'advanced', 'command.cancel': 'cancelled',
    'command.reconcile': 'asked to reconcile', 'plan.stored': 'plan made', 'plan.over': 'plan done', 'rollout.reverting': 'rollout goes back',
    'rollout.reverted': 'rollout went back', 'rollout.held': 'rollout waits', 'environment.status': 'state changed', 'person.signed_in': 'signed in',
    'person.joined': 'joined', 'person.password': 'password set', 'operation.intent': 'step began', 'operation.identified': 'step has its id', 'operation.settled': 'step done',
    'operation.verified': 'step verified',
};

export const isStep = kind => /^(operation|gate)\./.test(kind);

function markOf(kind) {
    const row = TONES.find(([test]) => test.test(kind));
    return row ? html`<span class="shape ${row[2]}" aria-hidden="true">${row[1]}</span>` : html`<span class="shape" aria-hidden="true">·</span>`;
}

// The plan that an event is of, where it names one.
const planOf = one => /^plan:([0-9a-f]{8,})$/.exec(one.cause)?.[1] ?? (/^[0-9a-f]{12,64}$/.test(one.subject) ? one.subject : '');

function Subject({ one }) {
    const plan = planOf(one), text = [one.environment !== one.subject && one.environment, one.subject !== plan && plainly(one.subject)].filter(Boolean).join(' ');
    return html`<span class="subject">${text} ${plan && html`<a href="/plans/${plan}">plan ${short(plan)}</a>`}</span>`;
}

// A row is opened by its button, or anywhere that leads nowhere else; not by who selects a part of it.
const press = (event, seq) => event.target.closest('a, button, .recorded') || !getSelection().isCollapsed || toggle(seq);

export function EventList({ events }) {
    const open = openIn(new URLSearchParams(location.search));
    return html`<ul class="events">${events.map(one => {
        const isOpen = open.has(String(one.seq));
        return html`<li key=${one.seq} data-seq=${one.seq} class=${isStep(one.kind) ? 'step' : ''} onClick=${event => press(event, one.seq)}>
        ${markOf(one.kind)}<span class="age"><${When} ms=${one.time_ms} isExact=${true} /></span>
        <span class="actor">${actorOf(one.actor)}</span><button type="button" class="kind" data-row title=${one.kind} aria-expanded=${String(isOpen)} onClick=${() => toggle(one.seq)}>${WORDS[one.kind] ?? one.kind.replace(/[._]/g, ' ')}</button><${Subject} one=${one} />
        ${one.why && html`<span class="says" title=${one.why}>“${plainly(one.why)}”</span>`}
        ${isOpen && html`<div class="recorded"><${Recorded} seq=${one.seq} /></div>`}</li>`;
    })}</ul>`;
}

export function Events({ env, resource }) {
    const answer = useAnswer(`/history?newest=1&bodies=0&limit=100&env=${part(env)}&resource=${part(resource)}`, event => event.environment === env);
    return waitsFor(answer, 'its events') ?? (answer.data.events.length ? html`<${EventList} events=${answer.data.events} />` : html`<${Empty} title="Nothing has happened to it" />`);
}
