// words: what states are called, drawn and coloured, and how short an id is. SPDX-License-Identifier: Apache-2.0
//
// Pure. Each state has a word, a shape and a tone; nobody needs the colour. `calm` states have no tone.

// [shape, tone, words]
const TONES = [
    ['', 'calm', 'in_sync healthy applied proven ready live done running good'], ['☾', 'calm', 'asleep'], ['?', 'muted', 'unknown'],
    ['◆', 'waiting', 'waiting parked'], ['✓', 'converging', 'approved'], ['▸', 'converging', 'converging applying open began switched making proving'],
    ['✕', 'failed', 'failed unhealthy lost exited revert_failed'], ['↩', 'failed', 'reverted reverting'], ['▲', 'degraded', 'degraded drifted unready'],
    ['!', 'degraded', 'overridden'], ['‖', 'held', 'held frozen'], ['', 'muted', 'previous draining'], ['»', 'muted', 'superseded'],
    ['✕', 'muted', 'rejected cancelled revoked'], ['·', 'muted', 'expired'],
];
const NAMES = { in_sync: 'in sync', good: 'active', open: 'planned', revert_failed: 'the way back is refused', reverting: 'going back', previous: 'kept' };

const STATES = new Map(TONES.flatMap(([shape, tone, words]) => words.split(' ').map(word => [word, { text: NAMES[word] ?? word, shape, tone }])));

export function stateOf(word) {
    return STATES.get(word) ?? { text: String(word ?? ''), shape: '', tone: 'muted' };
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

// Why a plan waits for a person, as its class says it.
const ASKS = { destroy: 'something is destroyed', data: 'data is at stake', replace: 'something is replaced', downtime: 'something is down for a while',
    downgrade: 'something goes to an older version', weaken: 'something is protected less', budget: 'more changes at once than the budget allows' };

// A reason without the ids that machines need: "gate bake:af93af6913f8: web@5502d2d3c16e.0 is .." is "while it baked: web.0 is ..".
export function plainly(text) {
    return String(text ?? '').replace(/\bgate (\w+):\S+?: /g, (all, kind) => (GATES[kind] ? `${GATES[kind]}: ` : all))
        .replace(/@[0-9a-f]{12}\b/g, '').replace(/\bperson:/g, '')
        .replace(/(^|: )approval: manual$/, '$1every change here needs an approval').replace(/(^|: )class (\w+)$/, (all, before, name) => (ASKS[name] ? before + ASKS[name] : all));
}

// --- what is at stake --------------------------------------------------------------------------------

const IS_DATA = line => line.classes.includes('data') || line.disruption === 'data-loss';

// Of a kind: what its end means to those who use it, and what of it can be lost.
const ENDS = {
    service: 'it answers nobody any more', job: 'it does not run any more', domain: 'its hosts lead nowhere any more', dns: 'its names are found no more',
    database: 'nobody can use it any more', redis: 'nobody can use it any more', backup: 'no backup is taken any more',
};
const HELD = { database: 'all of its data', redis: 'all that it holds', backup: 'what was kept of the data' };

// What of it, from what to what: ": approval.policy from manual to auto".
const laxerOf = line => String(line.reason ?? '').split('; ').find(part => part.startsWith('laxer: '))?.slice('laxer'.length) ?? '';

// Each class and interruption in a word and in a sentence; the gravest first. What is destroyed is down for good: once is enough.
const STAKES = [
    ['destroyed', line => line.classes.includes('destroy'), line => `is destroyed: ${ENDS[line.kind] ?? 'it is there no more'}`],
    ['replaced', line => line.classes.includes('replace'), () => 'is replaced by another one'],
    ['data at stake', IS_DATA, line => `${HELD[line.kind] ?? 'what it holds'} can be lost for good`],
    ['downtime', line => (line.classes.includes('downtime') || line.disruption === 'downtime') && !line.classes.includes('destroy'), () => 'is down for a while'],
    ['restarts', line => line.disruption === 'restart', () => 'restarts'],
    ['older version', line => line.classes.includes('downgrade'), () => 'goes to an older version'],
    ['weaker protection', line => line.classes.includes('weaken'), line => `is protected less${laxerOf(line)}`],
    ['over the budget', line => line.classes.includes('budget'), () => 'is over the budget of what may change at once'],
];

const CLASSES = ['destroy', 'replace', 'data', 'downtime', 'downgrade', 'weaken', 'budget'];

// Those that apply; a class that is not known here says itself.
const stakes = line => [...STAKES.filter(([, is]) => is(line)), ...line.classes.filter(name => !CLASSES.includes(name)).map(name => [name, null, () => `is of class ${name}`])];

// Of a line of a plan: [{word, isGrave}], none where nothing is at stake.
export function stakesOf(line) {
    return stakes(line).map(([word]) => ({ word, isGrave: word === 'destroyed' || word === 'data at stake' }));
}

// The same as one sentence about it; '' where nothing is.
export function stakeOf(line) {
    const said = stakes(line).map(([, , say]) => say(line));
    return said.length ? `${line.kind}/${line.name} ${said.join(', ')}` : '';
}

// What a person must have understood before the name is typed; '' where neither data nor a thing goes. `classes`: of the plan,
// which decides.
export function typedFor(lines, classes = []) {
    const data = lines.filter(IS_DATA), gone = lines.filter(line => line.classes.includes('destroy')), [first] = data.length ? data : gone;
    if (!first)
        return classes.includes('data') || classes.includes('destroy') ? 'Something goes for good' : '';
    if (data.length)
        return data.length === 1 ? `Data of ${first.kind}/${first.name} is at stake` : `Data of ${data.length} things is at stake`;
    return gone.length === 1 ? `${first.kind}/${first.name} is destroyed` : `${gone.length} things are destroyed`;
}

// What the daemon says, as a sentence; what begins with a name stays as it is written.
export function sentence(text) {
    const said = String(text ?? '').replace(/^[a-z]+(?=[ ,;])/, word => word[0].toUpperCase() + word.slice(1));
    return /[.!?]$/.test(said) ? said : `${said}.`;
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
