// recorded: what an event wrote, as it stands in the history. SPDX-License-Identifier: Apache-2.0
//
// Which events are open stands in the query (`open`, seqs with a dot between), so that it can be sent to a colleague. Who may see
// which the daemon decides when it is asked.
import { Path, When, useAnswer, waitsFor } from '../parts.js';
import { go, withQuery } from '../route.js';
import { html, useState } from '../vendor/preact.js';
import { flatten, plural } from '../words.js';

const ROWS_SHOWN = 10;
const INSTANT_MS = 1e12; // what is less is a length

export const openIn = query => new Set((query.get('open') ?? '').split('.'));

export function toggle(seq) {
    const open = openIn(new URLSearchParams(location.search)), name = String(seq);
    open.delete('');
    open.delete(name) || open.add(name);
    go(withQuery({ open: [...open].join('.') }), { replaces: true });
}

// Columns that the daemon writes as JSON; what stands in others are somebody's words, whatever they look like.
const JSONS = 'baseline counters drift expected groups have messages need needs outputs principals roles rules scope v'.split(' ');

function opened(key, value) {
    if (!JSONS.includes(key) || !/^[[{]/.test(value))
        return value;
    try {
        return JSON.parse(value);
    } catch {
        return value;
    }
}

// [['plan', '97..'], ['needs.min', '1']]; what is empty stands there, too.
const fieldsOf = value => Object.entries(value).flatMap(([key, below]) => {
    const all = flatten(opened(key, below), key);
    return all.length ? all : [[key, '']];
});

function Value({ path, text }) {
    if (text === '')
        return html`<span class="muted">empty</span>`;
    if (path.endsWith('_ms') && Number(text) > INSTANT_MS)
        return html`<${When} ms=${Number(text)} isExact=${true} />`;
    return path.endsWith('_ms') ? `${Number(text).toLocaleString('en')} ms` : /^[0-9a-f-]{12,}$/.test(text) ? html`<code>${text}</code>` : text;
}

function Fields({ of }) {
    return html`<dl class="fields">${fieldsOf(of).map(([path, text]) => html`<dt><${Path} text=${path} /></dt><dd><${Value} path=${path} text=${text} /></dd>`)}</dl>`;
}

// Rows of one table of the state; many of them are there to be asked for.
function Rows({ name, rows, verb }) {
    const [shown, setShown] = useState(ROWS_SHOWN);
    return html`<h3>${name.replaceAll('_', ' ')} <span class="muted">${plural(rows.length, 'row')} ${verb}</span></h3>
        ${rows.slice(0, shown).map(row => html`<${Fields} of=${row} />`)}
        ${rows.length > shown && html`<button type="button" onClick=${() => setShown(shown * 10)}>Show more of ${rows.length.toLocaleString('en')}</button>`}`;
}

function Body({ body: { notes, documents, rows, gone } }) {
    const tables = (all, verb) => Object.entries(all ?? {}).map(([name, list]) => html`<${Rows} key=${verb + name} name=${name} rows=${list} verb=${verb} />`);
    return html`${notes && html`<h3>notes</h3><${Fields} of=${notes} />`}${tables(rows, 'written')}${tables(gone, 'removed')}
        ${documents && html`<h3>documents <span class="muted">${plural(documents.length, 'digest')}</span></h3><ul class="plain">${documents.map(one => html`<li><code>${one}</code></li>`)}</ul>`}`;
}

export function Recorded({ seq }) {
    const answer = useAnswer(`/history?after=${seq - 1}&limit=1`, () => false), waits = waitsFor(answer, 'what it recorded');
    if (waits)
        return waits;
    const one = answer.data.events[0];
    if (one?.seq !== seq)
        return html`<p class="muted">It is not among what you may see any more.</p>`;
    return html`<dl class="facts"><dt>event</dt><dd><a href="/history?before=${seq + 1}&steps=1&open=${seq}">no. ${seq}</a><code>${one.kind}</code></dd>
            <dt>by</dt><dd><code>${one.actor}</code></dd><dt>of</dt><dd><code>${one.subject}</code>${one.environment && one.environment !== one.subject && html`<span>in ${one.environment}</span>`}</dd>
            ${one.cause && html`<dt>cause</dt><dd><code>${one.cause}</code></dd>`}
            <dt>hash</dt><dd><code>${one.hash}</code></dd></dl>
        ${!one.body ? html`<p class="muted">What it wrote is not here: it is older than <code>state.history</code> keeps it, or too large to be shown.</p>`
        : Object.keys(one.body).length ? html`<${Body} body=${one.body} />` : html`<p class="muted">It wrote nothing else.</p>`}`;
}
