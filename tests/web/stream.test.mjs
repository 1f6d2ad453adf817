// stream: it is cut, the page says since when, and nothing is missed when it is back. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { eventually, expectAccessible, expectNoFaults, openBrowser, shoot, visit } from './browser.mjs';
import { test } from './case.mjs';
import { givenWay, givenWorld } from './world.mjs';

let browser, world, way;

before(async () => {
    [browser, world] = await Promise.all([openBrowser(), givenWorld('shop')]);
    way = await givenWay(world);
});

after(async () => {
    await browser?.close();
    way?.end();
    await world?.end();
});

const numbers = page => page.locator('.events li').evaluateAll(list => list.map(one => Number(one.dataset.seq)).reverse());

// As the daemon tells it: without what only administrators of the machine see.
const told = async context => (await (await context.request.get(`${world.url}/api/v1/history?newest=1&limit=200&bodies=0`)).json()).events.map(one => one.seq).reverse();

test('a stream that is cut comes back with nothing missed', async () => {
    const ann = await visit(browser, way, { name: 'ann' }), { page } = ann;
    await ann.go('/history?steps=1');
    await page.locator('.events li').first().waitFor();
    const atFirst = (await numbers(page)).at(-1);

    way.cut();
    await page.getByText('Not live since').waitFor();
    await expectAccessible(ann, 'a stale page');
    await shoot(ann, 'stale-wide');
    await world.tell('deploy', 'v2');
    await world.tell('converged');
    assert.equal((await numbers(page)).at(-1), atFirst, 'nothing comes while it is cut');

    way.mend();
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('Not live since').waitFor({ state: 'detached' });
    await eventually('all that happened meanwhile', async () => (await numbers(page)).at(-1) === (await told(ann.context)).at(-1));
    const seen = await numbers(page), all = await told(ann.context);
    assert.deepEqual(seen.slice(-all.length), all.slice(-seen.length), 'each once and in order');
    console.log(`   ${seen.filter(seq => seq > atFirst).length} events while it was cut: all of them seen`);

    // and by itself, without a hand, when the daemon is another one
    await world.tell('stop');
    await page.getByText('Not live since').waitFor();
    await world.tell('start');
    await page.getByText('Not live since').waitFor({ state: 'detached' });
    await world.tell('deploy', 'v3');
    await world.tell('converged');
    await eventually('the stream is live', async () => (await numbers(page)).at(-1) === (await told(ann.context)).at(-1));
    expectNoFaults(ann);
});

test('nothing is asked for by the clock', async () => {
    const ann = await visit(browser, way, { name: 'ann' }), asked = [];
    await ann.go('/environments/prod?at=service/web');
    await ann.page.locator('.fields').first().waitFor();
    await eventually('nothing is on its way', async () => !(await ann.page.locator('.loading').count()));
    ann.page.on('request', request => asked.push(request.url()));
    await ann.page.clock.install();
    await ann.page.clock.runFor(120000);
    assert.deepEqual(asked, []);
});
