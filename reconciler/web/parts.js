// parts: small things that every view is made of. SPDX-License-Identifier: Apache-2.0
import { exact, relative } from './time.js';
import { sentence, short, stateOf } from './words.js';
import { acquire, release } from './store.js';
import { html, useEffect, useRef, useState } from './vendor/preact.js';

export function State({ word, label }) {
    const { text, shape, tone } = stateOf(word);
    return html`<span class="state ${tone}">${shape && html`<span class="shape" aria-hidden="true">${shape}</span>`}${label ?? text}</span>`;
}

export function When({ ms, isExact }) {
    return ms ? html`<time datetime=${new Date(ms).toISOString()} title=${exact(ms)}>${isExact ? exact(ms) : relative(ms, Date.now())}</time>` : null;
}

// The name of a field: where it is too long for its line it goes on in the next one between two parts.
export function Path({ text }) {
    return html`<code>${text.split(/(?<=[._/])/).map(one => html`${one}<wbr />`)}</code>`;
}

// What is copied says when exactly.
addEventListener('copy', event => {
    const selected = getSelection();
    if (!selected.rangeCount || selected.isCollapsed)
        return;
    const box = document.createElement('div');
    box.append(selected.getRangeAt(0).cloneContents());
    const times = box.querySelectorAll('time');
    if (!times.length)
        return;
    for (const time of times)
        time.textContent = time.title;
    event.clipboardData.setData('text/plain', box.textContent);
    event.preventDefault();
});

export function Id({ id, what = 'id' }) {
    const [copied, setCopied] = useState(false), timer = useRef(0);
    useEffect(() => () => clearTimeout(timer.current), []);
    async function copy(event) {
        event.preventDefault();
        if (!await navigator.clipboard?.writeText(id).then(() => true, () => false))
            return;
        setCopied(true);
        timer.current = setTimeout(() => setCopied(false), 1200);
    }
    return id ? html`<button type="button" class="id" title="copy ${what} ${id}" onClick=${copy}>${short(id)}${copied && html`<span class="copied" role="status">copied</span>`}</button>` : null;
}

// One that is wider than the page is scrolled within, by keyboard too; on a small screen each value says what it is (style.css).
export function Table({ heads, children }) {
    const names = Object.fromEntries(heads.map((head, i) => [`--head${i + 1}`, head && JSON.stringify(head)]));
    return html`<div class="wide" tabindex="0" role="group" aria-label=${`table of ${heads.filter(Boolean).join(', ')}`}><table class="table" style=${names}>
        <thead><tr>${heads.map(head => html`<th>${head}</th>`)}</tr></thead><tbody>${children}</tbody></table></div>`;
}

// --- states of a view -------------------------------------------------------------------------------

export function Empty({ title, children }) {
    return html`<div class="empty"><p class="title">${title}</p>${children && html`<p>${children}</p>`}</div>`;
}

export function Loading({ what }) {
    return html`<p class="loading" role="status">Loading ${what} …</p>`;
}

export function Failed({ problem, what }) {
    if (problem.status === 403)
        return html`<${Empty} title="Not allowed: ${what}">${sentence(problem.message)}<//>`;
    if (problem.status === 404)
        return html`<${Empty} title="Not found: ${what}">${sentence(problem.message)} It may be gone, or not among what you may see.<//>`;
    return html`<div class="notice failed" role="alert"><strong>${what} cannot be shown.</strong> ${sentence(problem.message)}</div>`;
}

// --- answers ----------------------------------------------------------------------------------------

const NOTHING = { data: undefined, error: null, loading: false };

// The answer to `path`, kept as it should be while it is shown; null: nothing is asked.
export function useAnswer(path, touches) {
    const held = useRef({ path: null, one: NOTHING }), newest = useRef(touches), touched = useRef(event => newest.current(event));
    newest.current = touches;
    function hold(wanted) {
        if (held.current.path)
            release(held.current.path, touched.current);
        held.current = { path: wanted, one: wanted ? acquire(wanted, touched.current) : NOTHING };
    }
    if (held.current.path !== path)
        hold(path);
    useEffect(() => () => hold(null), []);
    return held.current.one;
}

// What an answer has to show before its data: loading, or why not; null: the data is there.
export function waitsFor(answer, what) {
    if (answer.data)
        return null;
    return answer.error ? html`<${Failed} problem=${answer.error} what=${what} />` : html`<${Loading} what=${what} />`;
}

export const ofEnvironment = name => event => event.environment === name;
