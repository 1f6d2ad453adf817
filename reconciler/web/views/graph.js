// graph: what an environment is made of: domains on top, services left, data right. SPDX-License-Identifier: Apache-2.0
//
// Parts that drivers need and people do not ask for (instances, backends, routes) belong to their service and are not in it.
import { State } from '../parts.js';
import { html, useLayoutEffect, useRef, useState } from '../vendor/preact.js';

const PARTS = ['instance', 'backend', 'routes', 'switch', 'policy', 'release', 'artifact', 'build', 'network'];

const BESIDE_PX = 100, ARC_PX = 28; // further than that is a box between; how far a line goes around it

const kindOf = name => name.split('/')[0];
const bare = name => name.slice(name.indexOf('/') + 1);

export const isShown = name => !PARTS.includes(kindOf(name));

// [from, to] of nodes: a domain's routes, what waits for what, and what a value is taken from.
function edgesOf(resources) {
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
    if (seen?.reason)
        return seen.reason;
    return live ? `${live.colour} · revision ${live.revision ?? '?'} · ${live.instances.filter(one => ['running', 'ready'].includes(one.state)).length}/${live.replicas} up` : '';
}

function Node({ resource, env, chosen, choose }) {
    return html`<button type="button" class="node" data-row data-node=${resource.name} aria-pressed=${chosen === resource.name} onClick=${() => choose(resource.name)}>
        <span class="kind">${kindOf(resource.name)}</span><strong>${bare(resource.name)}</strong><${State} word=${statusOf(resource, env)} />
        <span class="note">${noteOf(resource, env)}</span></button>`;
}

// Where a line leaves `a` and comes to `b`: down or up where one is above the other, else sideways; past a box between them
// below both, or at their right where they stand in one column. Lines that leave or come to the same side each have a place
// of their own.
function wayOf(a, b, places) {
    if (b.top >= a.bottom || b.bottom <= a.top) {
        const isDown = b.top >= a.bottom, y1 = isDown ? a.bottom : a.top, y2 = isDown ? b.top : b.bottom;
        if (Math.abs(y2 - y1) > BESIDE_PX && a.left < b.right && b.left < a.right)
            return { from: [a.right, a.top + a.height / 2], to: [b.right, b.top + b.height / 2], bend: [ARC_PX, 0], isArc: true };
        return { from: [a.left + a.width * places.leaves, y1], to: [b.left + b.width * places.comes, y2], bend: [0, (y2 - y1) / 2] };
    }
    const isRight = b.left >= a.right, gap = isRight ? b.left - a.right : a.left - b.right;
    if (gap > BESIDE_PX)
        return { from: [a.left + a.width / 2, a.bottom], to: [b.left + b.width / 2, b.bottom], bend: [0, ARC_PX], isArc: true };
    const x1 = isRight ? a.right : a.left, x2 = isRight ? b.left : b.right;
    return { from: [x1, a.top + a.height / 2], to: [x2, b.top + b.height / 2], bend: [(x2 - x1) / 2, 0] };
}

function pathOf({ from: [x1, y1], to: [x2, y2], bend: [dx, dy], isArc }) {
    return [`M${x1} ${y1}`, `C${x1 + dx} ${y1 + dy}`, `${isArc ? x2 + dx : x2 - dx} ${isArc ? y2 + dy : y2 - dy}`, `${x2} ${y2}`].join(' ');
}

// The part of a side that is `node`'s among all that leave or come there, by where they go.
function placeOf(edges, at, end, edge) {
    const same = edges.filter(one => one[end] === edge[end]).sort((p, q) => at.get(p[1 - end]).left - at.get(q[1 - end]).left);
    return (same.indexOf(edge) + 1) / (same.length + 1);
}

function linesOf(box, edges) {
    const frame = box.getBoundingClientRect(), at = new Map();
    for (const node of box.querySelectorAll('[data-node]')) {
        const { left, top, width, height } = node.getBoundingClientRect(), [x, y] = [Math.round(left - frame.left), Math.round(top - frame.top)];
        at.set(node.dataset.node, { left: x, top: y, right: x + width, bottom: y + height, width, height });
    }
    const drawn = edges.filter(([a, b]) => at.has(a) && at.has(b));
    return drawn.map(edge => ({ key: edge.join(' '), ends: edge,
        d: pathOf(wayOf(at.get(edge[0]), at.get(edge[1]), { leaves: placeOf(drawn, at, 0, edge), comes: placeOf(drawn, at, 1, edge) })) }));
}

// Lines are drawn where the boxes have come to lie.
function useLines(ref, edges, key) {
    const [lines, setLines] = useState([]);
    useLayoutEffect(() => {
        const measure = () => setLines(linesOf(ref.current, edges)), watch = new ResizeObserver(measure);
        watch.observe(ref.current);
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
    return html`<div class="graph" ref=${ref}><svg class="edges" aria-hidden="true">
            ${['far', 'near'].map(kind => html`<marker id="tip-${kind}" class=${kind} viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"
                markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5L8 4L0 7.5z" /></marker>`)}
            ${lines.map(line => {
                const kind = line.ends.includes(chosen) ? 'near' : 'far';
                return html`<path key=${line.key} class="edge ${kind}" d=${line.d} marker-end="url(#tip-${kind})" />`;
            })}</svg>
        ${column('domains', one => kindOf(one.name) === 'domain')}
        ${column('apps', one => kindOf(one.name) === 'service' || kindOf(one.name) === 'job')}
        ${column('data', one => !['domain', 'service', 'job'].includes(kindOf(one.name)))}</div>`;
}
