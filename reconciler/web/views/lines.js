// lines: what a plan does, risk first, each with its fields. SPDX-License-Identifier: Apache-2.0
import { Path } from '../parts.js';
import { html } from '../vendor/preact.js';
import { plural, stakeOf, stakesOf } from '../words.js';

const FIELDS_SHOWN = 8;

const GLYPHS = { create: ['+', 'calm'], update: ['~', 'calm'], replace: ['!', 'degraded'], delete: ['−', 'failed'], adopt: ['→', 'calm'],
    forget: ['←', 'held'], run: ['▸', 'calm'], switch: ['⇄', 'calm'] };
const BACK = { switch: 'can be taken back at once', plan: 'can be taken back by a plan', none: 'cannot be taken back' };
const HARM = ['none', 'restart', 'downtime', 'data-loss'];

const risk = line => HARM.indexOf(line.disruption) * 10 + line.classes.length * 3 + (line.back === 'none' ? 2 : 0) + (line.action === 'delete' ? 1 : 0);

export const byRisk = lines => lines.map((line, i) => [risk(line), i, line]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).map(one => one[2]);

// The risk of all of them in a sentence: what is lost or interrupted, and how much is done.
export function riskOf(lines) {
    const counts = new Map();
    for (const line of lines)
        counts.set(line.action, (counts.get(line.action) ?? 0) + 1);
    const harmed = byRisk(lines).map(stakeOf).filter(Boolean);
    return { isRisky: harmed.length > 0, harms: harmed.join('; ') || 'nothing is destroyed, nothing is interrupted',
        counts: [...counts].map(([action, n]) => `${n.toLocaleString('en')} to ${action}`).join(', ') };
}

function Change({ change }) {
    return html`<li><${Path} text=${change.path} />
        ${change.before === undefined ? html`<span class="muted">not set</span>` : html`<del>${change.before}</del>`}
        ${change.after === undefined ? html`<span class="muted">removed</span>` : html`<ins>${change.after}</ins>`}</li>`;
}

// What is made or goes as a whole has many: they are there to be opened.
function Fields({ line }) {
    const { changes } = line, isWhole = changes.every(one => one.before === undefined) || changes.every(one => one.after === undefined);
    if (!changes.length)
        return null;
    const list = html`<ul class="diff" aria-label="fields of ${line.kind}/${line.name}, before and after">${changes.map(change => html`<${Change} change=${change} />`)}</ul>`;
    return isWhole && changes.length > FIELDS_SHOWN ? html`<details class="counted"><summary>${plural(changes.length, 'field')}</summary>${list}</details>` : list;
}

function Line({ line, isPast }) {
    const [glyph, tone] = GLYPHS[line.action] ?? ['·', 'calm'], stakes = stakesOf(line);
    return html`<li class="line ${stakes.length ? 'risky' : ''}"><div class="line-head">
            <span class="glyph ${tone}" aria-hidden="true">${glyph}</span><span class="action">${line.action}</span>
            <strong class="subject">${line.kind}/${line.name}</strong>${line.from && html`<span class="muted">was ${line.from}</span>`}
            ${stakes.map(({ word, isGrave }) => html`<span class="state ${isGrave ? 'failed' : 'degraded'}"><span class="shape" aria-hidden="true">▲</span>${word}</span>`)}
            <span class="muted">${[line.reason, !isPast && BACK[line.back]].filter(Boolean).join(' · ')}</span>
            <code class="place">${line.place}</code></div>
        <${Fields} line=${line} /></li>`;
}

// `isPast`: they were done; how one gets back from there is nothing to decide.
export function Lines({ lines, isPast }) {
    return html`<ul class="lines">${byRisk(lines).map(line => html`<${Line} line=${line} isPast=${isPast} />`)}</ul>`;
}
