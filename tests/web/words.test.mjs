// words: how the page says times, states and reasons. SPDX-License-Identifier: Apache-2.0
//
// What needs no browser. Each row is a sentence, what goes in and what is said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lengthOf, relative, watchOf } from '../../reconciler/web/time.js';
import { flatten, plainly, plural, sentence, stakeOf, stakesOf, stateOf, typedFor, urgencyOf } from '../../reconciler/web/words.js';

const S = 1000, MIN = 60 * S, H = 60 * MIN, DAY = 24 * H, NOW = Date.UTC(2026, 10, 3, 12);

function rows(name, list) {
    for (const [what, said, wanted] of list)
        test(`${name}: ${what}`, () => assert.equal(said, wanted));
}

rows('a length', [
    ['nothing', lengthOf(0), '0.0 s'],
    ['just below ten seconds', lengthOf(9999), '9.9 s'],
    ['just below a minute', lengthOf(MIN - 1), '59 s'],
    ['just below an hour', lengthOf(H - 1), '59 min'],
    ['an hour', lengthOf(H), '1 h'],
    ['and a minute', lengthOf(H + MIN), '1 h 1 min'],
    ['just below a day is no 60 min', lengthOf(DAY - 1), '23 h 59 min'],
    ['a day', lengthOf(DAY), '1 d'],
    ['just below two', lengthOf(2 * DAY - 1), '1 d'],
    ['of the past', lengthOf(-90 * MIN), '1 h 30 min'],
]);

rows('an instant', [
    ['this one', relative(NOW - 4999, NOW), 'now'],
    ['whole seconds', relative(NOW - 7600, NOW), '7 s ago'],
    ['soon', relative(NOW + 9999, NOW), 'in 9 s'],
    ['another year', relative(NOW + 400 * DAY, NOW).replace(/.*(\d{4}).*/, '$1'), String(new Date(NOW + 400 * DAY).getFullYear())],
    ['no year where it is the next one that comes', /\d{4}/.test(relative(NOW + 90 * DAY, NOW)), false],
    ['a while ago', relative(NOW - 90 * S, NOW), '1 min ago'],
    ['minutes count for three hours', relative(NOW - 2 * H - 5 * MIN, NOW), '2 h 5 min ago'],
    ['and not after that', relative(NOW - 4 * H - 5 * MIN, NOW), '4 h ago'],
    ['to come', relative(NOW + DAY - 1, NOW), 'in 23 h 59 min'],
]);

rows('a watch', [['seconds', watchOf(41999), '00:41'], ['hours', watchOf(H + 2 * MIN + 3 * S), '1:02:03'], ['not yet', watchOf(-5), '00:00']]);

rows('a reason', [
    ['of a bake', plainly('gate bake:af93af6913f8: web@5502d2d3c16e.0 is not ready any more: /healthz answered 503'), 'while it baked: web.0 is not ready any more: /healthz answered 503'],
    ['of a set that gets ready', plainly('gate ready:web@5502d2d3c16e: web@5502d2d3c16e.1 exited'), 'while it got ready: web.1 exited'],
    ['of a person', plainly('undo by person:ann: the numbers look odd'), 'undo by ann: the numbers look odd'],
    ['of a gate that nobody knows', plainly('gate moon:1: late'), 'gate moon:1: late'],
    ['of a policy', plainly('approval: manual'), 'every change here needs an approval'],
    ['of a policy, in a sentence', plainly("environment 'prod' is waiting: approval: manual"), "environment 'prod' is waiting: every change here needs an approval"],
    ['of a class', plainly('class destroy'), 'something is destroyed'],
    ['of a class that nobody knows', plainly('class moon'), 'class moon'],
    ['none', plainly(undefined), ''],
]);

const line = (kind, classes, disruption = 'none', name = 'x') => ({ kind, name, classes, disruption });
const DATABASE = line('database', ['destroy', 'data'], 'data-loss', 'main'), SERVICE = line('service', ['destroy'], 'downtime', 'api');

rows('a sentence', [
    ['of words', sentence('the daemon cannot be reached'), 'The daemon cannot be reached.'],
    ['that ends', sentence('wait: is that so?'), 'wait: is that so?'],
    ['that begins with a name', sentence('web-2 does not answer'), 'web-2 does not answer.'],
]);

rows('what is at stake', [
    ['a service that goes', stakeOf(SERVICE), 'service/api is destroyed: it answers nobody any more'],
    ['a domain', stakeOf(line('domain', ['destroy'])), 'domain/x is destroyed: its hosts lead nowhere any more'],
    ['what nobody knows here', stakeOf(line('moon', ['destroy'])), 'moon/x is destroyed: it is there no more'],
    ['a database', stakeOf(DATABASE), 'database/main is destroyed: nobody can use it any more, all of its data can be lost for good'],
    ['one that is made anew', stakeOf(line('redis', ['replace', 'data'], 'data-loss')), 'redis/x is replaced by another one, all that it holds can be lost for good'],
    ['one that is down', stakeOf(line('service', ['downtime'], 'downtime')), 'service/x is down for a while'],
    ['what restarts', stakeOf(line('service', [], 'restart')), 'service/x restarts'],
    ['what is protected less', stakeOf(line('policy', ['weaken'])), 'policy/x is protected less'],
    ['from what to what', stakeOf({ ...line('service', ['weaken']), reason: 'blue-green; laxer: rollout.bake_time from 1m to 0ms; drift' }), 'service/x is protected less: rollout.bake_time from 1m to 0ms'],
    ['a class that is new', stakeOf(line('service', ['moon'])), 'service/x is of class moon'],
    ['nothing', stakeOf(line('service', [])), ''],
    ['in words, each once', stakesOf(DATABASE).map(one => one.word).join(), 'destroyed,data at stake'],
    ['a service that goes, in words', stakesOf(SERVICE).map(one => one.word).join(), 'destroyed'],
]);

rows('what the name is typed for', [
    ['data', typedFor([SERVICE, DATABASE]), 'Data of database/main is at stake'],
    ['of several', typedFor([DATABASE, DATABASE]), 'Data of 2 things is at stake'],
    ['a thing without', typedFor([SERVICE]), 'service/api is destroyed'],
    ['two', typedFor([SERVICE, line('domain', ['destroy'])]), '2 things are destroyed'],
    ['a plan that says so', typedFor([line('service', [])], ['destroy']), 'Something goes for good'],
    ['nothing that goes', typedFor([line('service', ['downtime'], 'downtime')]), ''],
]);

rows('a count', [['one', plural(1, 'plan'), '1 plan'], ['many', plural(1200, 'plan'), '1,200 plans']]);

test('each state has a word, and what a person must look at stands first', () => {
    assert.deepEqual(stateOf('reverted'), { text: 'reverted', shape: '↩', tone: 'failed' });
    assert.deepEqual(stateOf('in_sync'), { text: 'in sync', shape: '', tone: 'calm' });
    assert.deepEqual(stateOf('something new'), { text: 'something new', shape: '', tone: 'muted' });
    assert.ok(urgencyOf('failed') < urgencyOf('waiting') && urgencyOf('waiting') < urgencyOf('in_sync'));
    assert.ok(urgencyOf('something new') > urgencyOf('in_sync'));
});

test('fields are named as specs name them', () => {
    assert.deepEqual(flatten({ a: { b: 1 }, list: ['x', 'y'], of: [{ c: null }] }), [['a.b', '1'], ['list', 'x, y'], ['of[0].c', 'null']]);
});
