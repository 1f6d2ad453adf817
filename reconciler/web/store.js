// store: the one place where the page keeps what it knows. SPDX-License-Identifier: Apache-2.0
//
// Answers are kept by the path that they were asked with. An event makes those stale that it touches; what a view shows is
// asked for again, all of one frame together and no more often than PACE_MS. Environments of the list are kept apart, each
// by name: some that changed are asked for one by one, many with the list. Nothing is asked for by the clock.
//
// Bounds: KEPT_MAX answers that no view shows, EVENTS_MAX newest events.
import { Problem, ask, onSession, part, setCsrf } from './api.js';
import { newStream } from './stream.js';

const PACE_MS = 150, KEPT_MAX = 24, EVENTS_MAX = 400, ONE_BY_ONE_MAX = 12, PAGE = 1000;

export const store = {
    me: undefined,       // undefined: not known yet; null: nobody
    isOver: false,       // the session ended, and nobody asked for that
    fault: null,         // why nothing is shown at all
    rows: new Map(), order: [], version: 0, listed: false, listFault: null, // of environments; another version: something in it
    lostSince: 0,
    events: [],          // the newest last
};

const answers = new Map(); // path -> { data, at: when it came, error, loading, stale, users: what shows it, each by its `touches` }
const dirty = new Set();   // names of environments
let listens = () => {}, framed = false, flushing = false, flushedAt = 0, isListDirty = false;

export function onChange(draw) {
    listens = draw;
}

// Once a frame, however much changed.
export function changed() {
    if (framed)
        return;
    framed = true;
    requestAnimationFrame(() => {
        framed = false;
        listens();
    });
}

// At once: who went somewhere goes on typing there.
export function changedNow() {
    listens();
}

// --- answers ----------------------------------------------------------------------------------------

async function load(path, one) {
    one.loading = true;
    one.stale = false;
    try {
        one.data = await ask(path);
        one.at = Date.now();
        one.error = null;
    } catch (problem) {
        one.error = problem;
        if (problem.status === 403 || problem.status === 404)
            one.data = undefined;
    }
    one.loading = false;
    if (one.stale && one.users.length)
        flushSoon();
    changed();
}

function forgetOld() {
    for (const [path, one] of answers) {
        if (answers.size <= KEPT_MAX)
            return;
        if (!one.users.length)
            answers.delete(path);
    }
}

// `touches(event)`: whether the answer may be another one after it. Until release() it is kept as it should be.
export function acquire(path, touches) {
    let one = answers.get(path);
    if (!one) {
        one = { data: undefined, error: null, loading: false, stale: true, users: [] };
        forgetOld();
    }
    answers.delete(path);
    answers.set(path, one);
    one.users.push(touches);
    if (one.stale && !one.loading)
        load(path, one);
    return one;
}

export function release(path, touches) {
    const users = answers.get(path)?.users;
    users?.splice(users.indexOf(touches) >>> 0, 1);
}

// What was asked for is news: whoever did it does not wait for the event.
export function refresh(test = () => true) {
    for (const [path, one] of answers)
        if (test(path))
            one.stale = true;
    flushSoon();
}

// Why something that is shown is not as it should be by now.
export const notFresh = () => (store.listed && store.listFault) || [...answers.values()].find(one => one.users.length && one.error && one.data)?.error;

export function freshen() {
    isListDirty ||= Boolean(store.listFault);
    refresh();
}

// --- environments -----------------------------------------------------------------------------------

function rowOf(full) {
    const live = service => service.sets.some(set => set.state === 'live');
    const { name, uid, source, branch, sync, health, reason, commit, revision, plan, event_ms } = full;
    return { name, uid, source, branch, sync, health, reason, commit, revision, plan, event_ms,
        services: full.services.filter(live).map(service => service.name) };
}

function sortRows() {
    store.version++;
    store.order = [...store.rows.keys()].sort();
}

async function loadRow(name) {
    const path = `/environments/${part(name)}`, shown = answers.get(path);
    try {
        const full = await ask(path);
        if (shown) {
            shown.data = full;
            shown.stale = false;
        }
        const isNew = !store.rows.has(name);
        store.rows.set(name, rowOf(full));
        store.version++;
        if (isNew)
            sortRows();
    } catch (problem) {
        if (problem.status !== 404)
            store.listFault = problem;
        else if (store.rows.delete(name))
            sortRows();
    }
    changed();
}

async function loadList() {
    const rows = new Map();
    try {
        for (let cursor = ''; cursor !== undefined;) {
            const page = await ask(`/environments?limit=${PAGE}${cursor && `&cursor=${part(cursor)}`}`);
            page.environments.forEach(row => rows.set(row.name, row));
            cursor = page.next;
        }
        store.rows = rows;
        store.listed = true;
        store.listFault = null;
        sortRows();
    } catch (problem) {
        store.listFault = problem;
    }
    changed();
}

// --- what an event touches --------------------------------------------------------------------------

async function flush() {
    const names = [...dirty], all = isListDirty || names.length > ONE_BY_ONE_MAX;
    dirty.clear();
    isListDirty = false;
    flushedAt = performance.now();
    const asked = names.map(name => `/environments/${part(name)}`);
    const loads = all ? [loadList()] : names.map(loadRow);
    for (const [path, one] of answers)
        if (one.stale && one.users.length && !one.loading && (all || !asked.includes(path)))
            loads.push(load(path, one));
    await Promise.all(loads);
}

function flushSoon() {
    if (flushing)
        return;
    flushing = true;
    const wait = Math.max(0, flushedAt + PACE_MS - performance.now());
    setTimeout(() => requestAnimationFrame(async () => {
        await flush();
        flushing = false;
        if (dirty.size || isListDirty || [...answers.values()].some(one => one.stale && one.users.length && !one.loading))
            flushSoon();
    }), wait);
}

function take(event) {
    store.events.push(event);
    if (store.events.length > EVENTS_MAX)
        store.events.splice(0, store.events.length - EVENTS_MAX);
    if (event.environment)
        dirty.add(event.environment);
    for (const one of answers.values())
        one.stale ||= !one.users.length || one.users.some(touches => touches(event));
    changed();
    flushSoon();
}

// --- the session ------------------------------------------------------------------------------------

const stream = newStream({
    event: take,
    found() {
        const wasLost = store.lostSince;
        store.lostSince = 0;
        if (wasLost) {
            for (const one of answers.values())
                one.stale ||= Boolean(one.error);
            if (store.listFault)
                isListDirty = true;
            flushSoon();
        }
        changed();
    },
    lost(since) {
        store.lostSince = since;
        changed();
    },
    refused(status) {
        if (status === 401)
            leave();
        else
            begin().catch(problem => { // another history than ours: all of it anew
                store.fault = problem;
                changed();
            });
    },
});

function leave() {
    stream.stop();
    setCsrf('');
    store.isOver ||= Boolean(store.me);
    Object.assign(store, { me: null, rows: new Map(), order: [], listed: false, listFault: null, events: [], lostSince: 0 });
    answers.clear();
    changed();
}

// Whose session it is by now; nothing is done as somebody else than who is shown.
async function renew() {
    const me = await ask('/me'), isNew = me.csrf !== store.me?.csrf;
    if (me.actor !== store.me?.actor)
        throw new Problem(403, { detail: `this browser is signed in as ${me.actor.replace('person:', '')} by now, and nothing was done: load the page again` });
    store.me = me;
    setCsrf(me.csrf);
    return isNew;
}

onSession(leave, renew);

const askHead = () => ask('/history?newest=1&limit=1&bodies=0');

async function begin(asked = askHead()) {
    const head = await asked;
    stream.start(head.events[0]?.seq ?? 0);
    refresh();
    await loadList();
}

// Who asks and where the history stands, then what there is: what happens meanwhile comes by the stream.
export async function enter() {
    try {
        store.fault = null;
        const head = askHead();
        head.catch(() => {}); // begin() hears of it, or nobody has signed in
        store.me = await ask('/me');
        store.isOver = false;
        setCsrf(store.me.csrf);
        changed();
        await begin(head);
    } catch (problem) {
        if (problem.status !== 401)
            store.fault = problem;
    }
    changed();
}

export async function signIn(name, password) {
    await ask('/sign-in', { name, password });
    await enter();
}

export async function signOut() {
    await ask('/sign-out', {});
    leave();
    store.isOver = false;
}

export const reconnect = () => stream.again();

// Relative times go on; nothing else does.
setInterval(() => {
    if (!document.hidden)
        changed();
}, 5000);
