// graph: what an environment is made of: domains on top, services left, data right. SPDX-License-Identifier: Apache-2.0
//
// Parts that drivers need and people do not ask for (instances, backends, routes) belong to their service and are not in it.
import { State } from '../parts.js';
import { html, useLayoutEffect, useRef, useState } from '../vendor/preact.js';

const PARTS = ['instance', 'backend', 'routes', 'switch', 'policy', 'release', 'artifact', 'build', 'network'];

const kindOf = name => name.split('/')[0];
const bare = name => name.slice(name.indexOf('/') + 1);

export const isShown = name => !PARTS.includes(kindOf(name));

// [from, to] of nodes: a domain's routes, what waits for what, and what a value is taken from.
export function edgesOf(resources) {
    const names = new Set(resources.map(one => one.name)), edges = [];
    for (const one of resources) {
        const text = JSON.stringify(one.desired ?? null);
        for (const to of names) {
            const is = to !== one.name && (kindOf(one.name) === 'domain' && kindOf(to) === 'service'
                ? Object.values(one.desired?.routes ?? {}).some(route => route.service === bare(to))
                : Object.hasOwn(one.desired?.depends_on ?? {}, bare(to)) || text.includes(`"${to}"`) || text.includes(`\${${kindOf(to)}.${bare(to)}.`));
            if (is)
                edges.push([one.name, to]);
        }
    }
    return edges;
}

// What a service is, its sets taken together.
function statusOf(resource, env) {
    const service = kindOf(resource.name) === 'service' && env.services.find(one => one.name === bare(resource.name));
    const seen = env.resources.find(one => one.name === resource.name);
    if (seen?.drift)
        return 'drifted';
    if (!service)
        return seen?.status ?? resource.status;
    const sets = service.sets.map(set => set.state);
    return ['making', 'failed'].find(state => sets.includes(state)) ?? (sets.includes('live') ? 'live' : sets[0] ?? resource.status);
}

function noteOf(resource, env) {
    const service = kindOf(resource.name) === 'service' && env.services.find(one => one.name === bare(resource.name));
    const seen = env.resources.find(one => one.name === resource.name);
    if (!service)
        return seen?.reason || seen?.drift || seen?.provider || '';
    const live = service.sets.find(set => set.state === 'live');
    return live ? `${live.colour} · revision ${live.revision ?? '?'} · ${live.instances.filter(one => ['running', 'ready'].includes(one.state)).length}/${live.replicas}` : '';
}

function Node({ resource, env, chosen, choose }) {
    return html`<button type="button" class="node" data-row data-node=${resource.name} aria-pressed=${chosen === resource.name} onClick=${() => choose(resource.name)}>
        <span class="kind">${kindOf(resource.name)}</span><strong>${bare(resource.name)}</strong><${State} word=${statusOf(resource, env)} />
        <span class="note">${noteOf(resource, env)}</span></button>`;
}

// Lines are drawn where the boxes have come to lie.
function useLines(ref, edges, key) {
    const [lines, setLines] = useState([]);
    useLayoutEffect(() => {
        const box = ref.current;
        function measure() {
            const from = box.getBoundingClientRect();
            const at = new Map([...box.querySelectorAll('[data-node]')].map(node => [node.dataset.node, node.getBoundingClientRect()]));
            setLines(edges.filter(([a, b]) => at.has(a) && at.has(b)).map(([a, b]) => {
                const p = at.get(a), q = at.get(b), isDown = q.top >= p.bottom, isUp = q.bottom <= p.top;
                const x1 = isDown || isUp ? p.left + p.width / 2 : p.right, y1 = isDown ? p.bottom : isUp ? p.top : p.top + p.height / 2;
                const x2 = isDown || isUp ? q.left + q.width / 2 : q.left, y2 = isDown ? q.top : isUp ? q.bottom : q.top + q.height / 2;
                const dx = isDown || isUp ? 0 : (x2 - x1) / 2, dy = isDown || isUp ? (y2 - y1) / 2 : 0;
                const [X1, Y1, X2, Y2] = [x1 - from.left, y1 - from.top, x2 - from.left, y2 - from.top].map(Math.round);
                return { key: `${a} ${b}`, ends: [a, b], d: `M${X1} ${Y1}C${X1 + dx} ${Y1 + dy} ${X2 - dx} ${Y2 - dy} ${X2} ${Y2}` };
            }));
        }
        const watch = new ResizeObserver(measure);
        watch.observe(box);
        measure();
        return () => watch.disconnect();
    }, [key]);
    return lines;
}

export function Graph({ env, resources, chosen, choose }) {
    const shown = resources.filter(one => isShown(one.name)), edges = edgesOf(shown);
    const ref = useRef(null), lines = useLines(ref, edges, JSON.stringify([shown.map(one => one.name), edges]));
    const column = (name, test) => {
        const those = shown.filter(test);
        return those.length > 0 && html`<div class="column ${name}">${those.map(one => html`<${Node} key=${one.name} resource=${one} env=${env} chosen=${chosen} choose=${choose} />`)}</div>`;
    };
    return html`<div class="graph" ref=${ref}><svg class="edges" aria-hidden="true">${lines.map(line => html`<path key=${line.key} class=${line.ends.includes(chosen) ? 'near' : ''} d=${line.d} />`)}</svg>
        ${column('domains', one => kindOf(one.name) === 'domain')}
        ${column('apps', one => kindOf(one.name) === 'service' || kindOf(one.name) === 'job')}
        ${column('data', one => !['domain', 'service', 'job'].includes(kindOf(one.name)))}</div>`;
}
