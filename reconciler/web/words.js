// words: what states are called, drawn and coloured, and how short an id is. SPDX-License-Identifier: Apache-2.0
//
// Pure. Each state has a word, a shape and a tone; nobody needs the colour. `calm` states have no tone.

const TONES = {
    in_sync: ['in sync', '', 'calm'], healthy: ['healthy', '', 'calm'], applied: ['applied', '', 'calm'],
    proven: ['proven', '', 'calm'], ready: ['ready', '', 'calm'], live: ['live', '', 'calm'], done: ['done', '', 'calm'],
    asleep: ['asleep', '☾', 'calm'], unknown: ['unknown', '?', 'muted'], superseded: ['superseded', '»', 'muted'],
    waiting: ['waiting', '◆', 'waiting'], parked: ['parked', '◆', 'waiting'], approved: ['approved', '✓', 'converging'],
    converging: ['converging', '▸', 'converging'], applying: ['applying', '▸', 'converging'], open: ['planned', '▸', 'converging'],
    began: ['began', '▸', 'converging'], switched: ['switched', '▸', 'converging'], making: ['making', '▸', 'converging'],
    proving: ['proving', '▸', 'converging'],
    reverting: ['going back', '↩', 'failed'], revert_failed: ['the way back is refused', '✕', 'failed'],
    previous: ['kept', '', 'muted'], draining: ['draining', '', 'muted'],
    failed: ['failed', '✕', 'failed'], reverted: ['reverted', '↩', 'failed'], unhealthy: ['unhealthy', '✕', 'failed'],
    lost: ['lost', '✕', 'failed'], rejected: ['rejected', '✕', 'muted'], cancelled: ['cancelled', '✕', 'muted'],
    degraded: ['degraded', '▲', 'degraded'], drifted: ['drifted', '▲', 'degraded'], unready: ['unready', '▲', 'degraded'],
    exited: ['exited', '✕', 'failed'], running: ['running', '', 'calm'], held: ['held', '‖', 'held'],
    frozen: ['frozen', '‖', 'held'], good: ['good', '', 'calm'], expired: ['expired', '·', 'muted'],
    revoked: ['revoked', '✕', 'muted'], overridden: ['overridden', '!', 'degraded'],
};

export function stateOf(word) {
    const [text, shape, tone] = TONES[word] ?? [String(word ?? ''), '', 'muted'];
    return { text, shape, tone };
}

// What a person must look at first stands first.
const URGENCY = ['failed', 'reverted', 'parked', 'waiting', 'converging', 'held', 'frozen', 'unknown', 'asleep', 'in_sync'];

export function urgencyOf(sync) {
    const at = URGENCY.indexOf(sync);
    return at < 0 ? URGENCY.length : at;
}

export function short(id) {
    return String(id ?? '').slice(0, 8);
}

// "person:ann" is ann; what is no person says what it is.
export function actorOf(actor) {
    return String(actor ?? '').replace(/^person:/, '');
}

const GATES = { ready: 'while it got ready', bake: 'while it baked', promote: 'while it was watched', recover: 'while it recovered', drained: 'while it drained' };

// A reason without the ids that machines need: "gate bake:af93af6913f8: web@5502d2d3c16e.0 is .." is "while it baked: web.0 is ..".
export function plainly(text) {
    return String(text ?? '').replace(/\bgate (\w+):\S+?: /g, (all, kind) => (GATES[kind] ? `${GATES[kind]}: ` : all))
        .replace(/@[0-9a-f]{12}\b/g, '').replace(/\bperson:/g, '');
}

export function plural(n, one, many = one + 's') {
    return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

// {a: {b: 1}} is [['a.b', '1']]: how specs, drift and plans name a field.
export function flatten(value, path = '') {
    if (value === null || typeof value !== 'object')
        return [[path, String(value)]];
    if (Array.isArray(value) && value.every(item => item === null || typeof item !== 'object'))
        return [[path, value.join(', ')]];
    return Object.entries(value).flatMap(([key, below]) =>
        flatten(below, Array.isArray(value) ? `${path}[${key}]` : path ? `${path}.${key}` : key));
}
