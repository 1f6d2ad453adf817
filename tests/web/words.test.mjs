// words: how the page says times, states and reasons. SPDX-License-Identifier: Apache-2.0
//
// What needs no browser. Each row is a sentence, what goes in and what is said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lengthOf, relative, watchOf } from '../../reconciler/web/time.js';
import { flatten, plainly, plural, stateOf, urgencyOf } from '../../reconciler/web/words.js';

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
    ['none', plainly(undefined), ''],
]);

rows('a count', [['one', plural(1, 'plan'), '1 plan'], ['many', plural(1200, 'plan'), '1,200 plans']]);

test('each state has a word, and what a person must look at stands first', () => {
    assert.deepEqual(stateOf('reverted'), { text: 'reverted', shape: '↩', tone: 'failed' });
    assert.deepEqual(stateOf('something new'), { text: 'something new', shape: '', tone: 'muted' });
    assert.ok(urgencyOf('failed') < urgencyOf('waiting') && urgencyOf('waiting') < urgencyOf('in_sync'));
    assert.ok(urgencyOf('something new') > urgencyOf('in_sync'));
});

test('fields are named as specs name them', () => {
    assert.deepEqual(flatten({ a: { b: 1 }, list: ['x', 'y'], of: [{ c: null }] }), [['a.b', '1'], ['list', 'x, y'], ['of[0].c', 'null']]);
});
