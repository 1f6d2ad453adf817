// lines: what a plan does, risk first, each with its fields. SPDX-License-Identifier: Apache-2.0
import { html } from '../vendor/preact.js';

const GLYPHS = { create: ['+', 'calm'], update: ['~', 'calm'], replace: ['!', 'degraded'], delete: ['−', 'failed'], adopt: ['→', 'calm'],
    forget: ['←', 'held'], run: ['▸', 'calm'], switch: ['⇄', 'calm'] };
const BACK = { switch: 'taken back at once', plan: 'taken back by a plan', none: 'cannot be taken back' };
const HARM = ['none', 'restart', 'downtime', 'data-loss'];

const risk = line => HARM.indexOf(line.disruption) * 10 + line.classes.length * 3 + (line.back === 'none' ? 2 : 0) + (line.action === 'delete' ? 1 : 0);

export const byRisk = lines => lines.map((line, i) => [risk(line), i, line]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).map(one => one[2]);

function Change({ change }) {
    return html`<tr><th scope="row"><code>${change.path}</code></th>
        <td>${change.before === undefined ? html`<span class="muted">not set</span>` : html`<del>${change.before}</del>`}</td>
        <td>${change.after === undefined ? html`<span class="muted">removed</span>` : html`<ins>${change.after}</ins>`}</td></tr>`;
}

function Line({ line }) {
    const [glyph, tone] = GLYPHS[line.action] ?? ['·', 'calm'];
    const harms = [...line.classes, line.disruption !== 'none' && !line.classes.includes(line.disruption) ? line.disruption : ''].filter(Boolean);
    return html`<li class="line ${harms.length ? 'risky' : ''}"><div class="line-head">
            <span class="glyph ${tone}" aria-hidden="true">${glyph}</span><span class="action">${line.action}</span>
            <strong class="subject">${line.kind}/${line.name}</strong>${line.from && html`<span class="muted">was ${line.from}</span>`}
            ${harms.map(harm => html`<span class="state ${harm === 'data' || harm === 'destroy' || harm === 'data-loss' ? 'failed' : 'degraded'}"><span class="shape" aria-hidden="true">▲</span>${harm}</span>`)}
            <span class="muted">${[line.reason, BACK[line.back]].filter(Boolean).join(' · ')}</span>
            <code class="place">${line.place}</code></div>
        ${line.changes.length > 0 && html`<div class="diff-box" tabindex="0" role="group" aria-label="fields of ${line.kind}/${line.name}"><table class="diff"><thead class="hidden"><tr><th>field</th><th>before</th><th>after</th></tr></thead><tbody>
            ${line.changes.map(change => html`<${Change} change=${change} />`)}</tbody></table></div>`}</li>`;
}

export function Lines({ lines }) {
    return html`<ul class="lines">${byRisk(lines).map(line => html`<${Line} line=${line} />`)}</ul>`;
}
