// environments: all of them, what needs a person first. SPDX-License-Identifier: Apache-2.0
//
// Rows have one height, so that only those that are seen are drawn, however many there are.
import { Empty, Failed, Loading, State, When } from '../parts.js';
import { go, withQuery } from '../route.js';
import { store } from '../store.js';
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/preact.js';
import { plainly, plural, short, urgencyOf } from '../words.js';

const OVERSCAN = 12;

// What the words of a search leave: each must be in the name, the branch, the commit or a service; is:STATE, and of what is
// not in order, is:open.
function finds(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return row => words.every(word => word.startsWith('is:')
        ? row.sync === word.slice(3) || row.health === word.slice(3) || (word === 'is:open' && row.sync !== 'in_sync')
        : [row.name, row.branch, row.commit ?? '', row.reason, ...row.services].some(have => have.toLowerCase().includes(word)));
}

function ordered(find) {
    const rows = store.order.map(name => store.rows.get(name));
    return (find ? rows.filter(finds(find)) : rows)
        .map((row, i) => [urgencyOf(row.sync) + (row.health === 'unhealthy' || row.health === 'degraded' ? 0 : 100), i, row])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(one => one[2]);
}

// No component: Preact moves each of those that stay, one by one, when what is a component goes from before it.
function rowOf(row, at, n, height) {
    const says = plainly(row.reason) || row.services.join(' ');
    return html`<li key=${row.name} style=${{ top: `${at * height}px` }} aria-setsize=${n} aria-posinset=${at + 1}><a class="row" data-row href="/environments/${encodeURIComponent(row.name)}">
        <span class="name">${row.name}</span>
        <span class="branch" title=${row.branch}>${row.branch}</span>
        <code class="commit">${short(row.commit)}</code>
        <span class="sync"><${State} word=${row.sync} /></span>
        <span class="says" title=${row.reason || says}>${says}</span>
        <span class="health">${row.health !== 'healthy' && row.health !== 'unknown' && html`<${State} word=${row.health} />`}</span>
        <span class="plan">${row.plan && html`plan <code>${short(row.plan.id)}</code>`}</span>
        <span class="age"><${When} ms=${row.event_ms} /></span></a></li>`;
}

// The part of the list that is seen.
function useWindow(n) {
    const ref = useRef(null), [at, setAt] = useState({ top: 0, height: 900, row: 36 });
    useLayoutEffect(() => {
        const box = ref.current;
        let framed = 0;
        function measure() {
            framed = 0;
            const row = parseFloat(getComputedStyle(box).getPropertyValue('--row')) || 36;
            setAt(old => (old.top === box.scrollTop && old.height === box.clientHeight && old.row === row ? old
                : { top: box.scrollTop, height: box.clientHeight, row }));
        }
        const soon = () => (framed ||= requestAnimationFrame(measure));
        const watch = new ResizeObserver(soon);
        watch.observe(box);
        box.addEventListener('scroll', soon, { passive: true });
        measure();
        return () => {
            watch.disconnect();
            cancelAnimationFrame(framed);
            box.removeEventListener('scroll', soon);
        };
    }, []);
    const first = Math.max(0, Math.floor(at.top / at.row) - OVERSCAN);
    return { ref, first, last: Math.min(n, Math.ceil((at.top + at.height) / at.row) + OVERSCAN), row: at.row };
}

function List({ rows }) {
    useEffect(() => performance.mark('first-row'), []); // for who measures
    const { ref, first, last, row } = useWindow(rows.length);
    return html`<div class="window" ref=${ref}><ul class="rows" style=${{ height: `${rows.length * row}px` }}>
        ${rows.slice(first, last).map((one, i) => rowOf(one, first + i, rows.length, row))}</ul></div>`;
}

export function Environments({ query }) {
    const find = query.get('find') ?? '', rows = useMemo(() => ordered(find), [find, store.version]);
    return html`<div class="page full"><div class="bar"><h1>Environments</h1>
        <input type="search" data-key="/" aria-label="Find environments" placeholder="/ find: name, branch, commit, service, is:waiting" value=${find}
            onInput=${event => go(withQuery({ find: event.target.value }), { replaces: true })}
            onKeyDown=${event => event.key === 'Enter' && document.querySelector('[data-row]')?.focus()} />
        <span class="count">${find ? `${rows.length.toLocaleString('en')} of ${store.rows.size.toLocaleString('en')}` : plural(rows.length, 'environment')}</span></div>
        ${store.listFault && !store.listed ? html`<${Failed} problem=${store.listFault} what="Environments" />`
        : !store.listed ? html`<${Loading} what="environments" />`
        : !store.rows.size ? html`<${Empty} title="No environments yet">They appear when a commit of a source has an Environment below <code>.reeve/</code>.
            See <a href="/system">sources</a> for what was fetched, and why something of it may be refused.<//>`
        : !rows.length ? html`<${Empty} title="Nothing matches “${find}”"><a href="/environments">Show all ${store.rows.size.toLocaleString('en')}</a><//>`
        : html`<${List} rows=${rows} />`}</div>`;
}
