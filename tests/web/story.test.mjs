// story: a change goes to production through the page, is watched, goes wrong, is taken back and looked up. SPDX-License-Identifier: Apache-2.0
//
// By mouse and by keyboard alone, wide and narrow, light and dark; the services and those who ask them are real.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { eventually, expectAccessible, expectFits, expectNoFaults, openBrowser, shoot, visit } from './browser.mjs';
import { test } from './case.mjs';
import { asks, keyboard, mouse, toldTo } from './hands.mjs';
import { givenWorld } from './world.mjs';

const LONG_BAKE = '5m', SHORT_BAKE = '1s';
const REVERT_MS = 150000; // what never gets ready goes back after a minute
const HOSTILE = '<img src=x onerror=alert(1)> & <b>bold</b>';
let browser, world;

before(async () => {
    [browser, world] = await Promise.all([openBrowser(), givenWorld('shop')]);
    await world.tell('approval', 'manual');
    await world.tell('load');
});

after(async () => {
    await browser?.close();
    await world?.end();
});

// --- what is seen -----------------------------------------------------------------------------------

// Each different sentence that the live region says.
async function listen({ page }) {
    await page.evaluate(() => {
        globalThis.heard = [];
        new MutationObserver(() => {
            const text = document.querySelector('.rollout [aria-live]')?.textContent;
            if (text && text !== globalThis.heard.at(-1))
                globalThis.heard.push(text);
        }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
}

const heard = ({ page }) => page.evaluate(() => globalThis.heard);
const says = async ({ page }, text) => (await page.locator('main').textContent()).includes(text);

// A pair of hands looks at `what`: it fits, and keeps nobody out.
async function look(visitor, what, picture) {
    await expectAccessible(visitor, what);
    await expectFits(visitor, what);
    if (picture)
        await shoot(visitor, picture);
}

async function approvePlan(visitor, hands, version, more) {
    const { page } = visitor;
    await world.tell('deploy', version, more ?? '', `${version}: ${more ? 'a new cache' : 'search answers sooner'}`);
    await hands.openPlan(visitor, await world.waits());
    await page.getByText('waiting for approval').waitFor();
    await eventually('the new version is in the plan', () => says(visitor, `+ ${version}`.slice(2)));
    await listen(visitor);
    await asks(visitor, hands, 'Approve', `${version} was looked at`);
    await page.locator('.rollout.runs').waitFor();
}

// What bakes does so until somebody says that it is proven.
async function proves(visitor, hands) {
    await visitor.page.locator('.gates').getByText('bakes').waitFor();
    await asks(visitor, hands, 'Advance', 'the numbers are good');
    await world.tell('converged');
}

// `shots`: the pictures are of this one. `earlier`: what was live at a fifth of all the time.
async function story(visitor, hands, [good, broken, last], { shots, earlier = /Revision\s*\d/ }) {
    const { page } = visitor, picture = name => (shots ? `${name}-${visitor.width > 600 ? 'wide' : 'narrow'}` : '');
    await world.tell('bake', LONG_BAKE);

    // a plan for production is approved; green comes up beside blue, then has the traffic
    await approvePlan(visitor, hands, good);
    await eventually('it gets ready beside the other', async () => (await heard(visitor)).some(one => /web: (\w+) \d of 2 up, 0 % of the traffic/.test(one)));
    await eventually('it has the traffic', async () => (await heard(visitor)).some(one => /web: \w+ 2 of 2 up, 100 % of the traffic/.test(one)));
    await page.locator('.gates').getByText(/[1-9][\d,]* requests, 0 errors/).waitFor(); // counted while they are sent
    await look(visitor, 'a rollout', picture('rollout'));
    await proves(visitor, hands);
    await world.tell('serves', good);
    await page.locator('.bar .state').getByText('applied').waitFor();
    assert.ok((await page.getByRole('listitem').filter({ hasText: `${good} was looked at` }).count()) > 0, 'who approved it, and why');

    // one that breaks while it bakes goes back by itself, and says why
    await approvePlan(visitor, hands, broken, ', APP_HEALTH: "fail_after:1500"');
    await eventually('it went back', () => says(visitor, 'reverted'), REVERT_MS);
    await hands.openEnvironment(visitor);
    await page.getByText('The last rollout went back').waitFor();
    await page.getByText('Quarantined').waitFor();
    assert.ok(await says(visitor, 'answered 503'), 'why it went back');
    await look(visitor, 'what went back', picture('reverted'));
    await world.tell('serves', good);

    // a good one again, and back from it
    await approvePlan(visitor, hands, last);
    await proves(visitor, hands);
    await world.tell('serves', last);
    await hands.openEnvironment(visitor);
    await asks(visitor, hands, 'Undo', 'the numbers look odd');
    await world.tell('serves', good);
    await eventually('it says who took it back, and why', async () => await says(visitor, 'reverted') && await says(visitor, 'the numbers look odd'));
    await look(visitor, 'what was taken back', picture('environment'));
    assert.ok(await page.locator('.notice.failed > .plain > li').count() <= 3, 'few of what is not tried again');

    // in history: what was there, and what differs from now
    await hands.openHistory(visitor);
    await page.locator('.events li').first().waitFor();
    assert.ok(await says(visitor, 'the numbers look odd'), 'the undo stands in the history');
    await hands.travel(visitor, 0.2);
    await page.getByText('What happened until then').waitFor();
    await eventually('an earlier revision was there', async () => earlier.test(await page.locator('.instant').textContent()));
    await look(visitor, 'an instant', picture('history'));
    await hands.compare(visitor);
    await page.getByText(/changes? in the specs/).waitFor();
    await eventually('the fields that differ', () => says(visitor, 'environment.VERSION'));
    assert.ok(await says(visitor, `${good} was looked at`), 'who decided in between');
    await look(visitor, 'two instants', picture('compare'));
    expectNoFaults(visitor);
}

const TOLD = [
    { hands: mouse, width: 1280, scheme: 'light', versions: ['v2', 'v3', 'v4'], shots: true, earlier: /Revision\s*1\b/ },
    { hands: keyboard, width: 390, scheme: 'dark', versions: ['v5', 'v6', 'v7'], shots: true },
    { hands: keyboard, width: 1280, scheme: 'dark', versions: ['v8', 'v9', 'v10'] },
    { hands: mouse, width: 390, scheme: 'light', versions: ['v11', 'v12', 'v13'] },
];

for (const { hands, width, scheme, versions, ...more } of TOLD)
    test(`a change goes to production by ${hands.name} at ${width} px, ${scheme}`, async () => {
        const ann = await visit(browser, world, { name: 'ann', width, scheme });
        await story(ann, hands, versions, more);
    });

test('two approve at once, one by mouse and one by keyboard: one is told that somebody was faster', async () => {
    const people = await Promise.all([['ann', mouse], ['bob', keyboard]].map(async ([name, hands]) => ({ ...await visit(browser, world, { name }), hands })));
    await world.tell('bake', SHORT_BAKE);
    await world.tell('deploy', 'v14', '', HOSTILE);
    const id = await world.waits();
    for (const visitor of people) {
        await visitor.hands.openPlan(visitor, id);
        await eventually('what others wrote is text', () => says(visitor, HOSTILE));
        await visitor.hands.begins(visitor, 'Approve');
        await visitor.hands.says(visitor, /^Reason/, 'seen');
        await look(visitor, 'what is asked first');
    }
    await Promise.all(people.map(visitor => visitor.hands.ends(visitor, 'Approve')));
    const told = await Promise.all(people.map(toldTo));
    assert.equal(told.filter(Boolean).length, 1, `one is told: ${told}`);
    console.log(`   told: ${told.find(Boolean).trim()}`);
    for (const [i, { page }] of people.entries()) {
        if (told[i])
            await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        await page.locator('.plain .state', { hasText: 'approved' }).waitFor();
    }
    await world.tell('converged');
    people.forEach(expectNoFaults);
});

test('what destroys says so first, and asks for the name', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await world.tell('parts', 'web');
    await world.tell('deploy', 'v15', '', 'v15: the old api is not asked any more');
    await mouse.openPlan(ann, await world.waits());
    await page.locator('.line').first().waitFor();
    assert.match(await page.locator('.line').first().textContent(), /delete.*service\/api/, 'it stands first');
    await look(ann, 'a plan that destroys', 'risk-wide');
    await mouse.begins(ann, 'Approve');
    await mouse.says(ann, /^Reason/, 'nobody asks it');
    assert.ok(await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).isDisabled(), 'not without the name');
    await look(ann, 'what is asked first', 'approve-wide');
    const asked = await page.getByRole('dialog').textContent();
    assert.ok(asked.includes('service/api is destroyed: it answers nobody any more'), 'what goes, and what that means');
    assert.ok(!/data/i.test(asked), 'no data is at stake: none is spoken of');
    await mouse.says(ann, /^service\/api is destroyed: type/, 'prod');
    await mouse.ends(ann, 'Approve');
    await world.tell('converged');
    await world.tell('parts', 'both');
    expectNoFaults(ann);
});
