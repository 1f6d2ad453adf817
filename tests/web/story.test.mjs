// story: a change goes to production through the page, is watched, goes wrong, is taken back and looked up. SPDX-License-Identifier: Apache-2.0
//
// Once by mouse in a wide and light window, once by keyboard alone in a narrow and dark one; the services are real.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, expectAccessible, expectFits, expectNoFaults, openBrowser, shoot, visit } from './browser.mjs';
import { givenWorld } from './world.mjs';

const HOSTILE = 'v8: <img src=x onerror=alert(1)> & <b>bold</b>';
let browser, world;

before(async () => {
    [browser, world] = await Promise.all([openBrowser(), givenWorld('shop')]);
    await world.tell('approval', 'manual');
});

after(async () => {
    await browser?.close();
    await world?.end();
});

// --- two pairs of hands -----------------------------------------------------------------------------

const mouse = {
    async openPlan({ page }) {
        await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Plans' }).click();
        await page.getByRole('link', { name: /prod/ }).click();
    },
    async asks({ page }, verb, reason) {
        await page.getByRole('button', { name: `${verb} …` }).click();
        await page.getByLabel(/^Reason/).fill(reason);
        await page.getByRole('dialog').getByRole('button', { name: verb }).click();
    },
    async openEnvironment({ page }) {
        await page.getByRole('link', { name: 'Environments', exact: true }).click();
        await page.getByRole('link', { name: /^prod/ }).click();
    },
    async openHistory({ page }) {
        await page.getByRole('link', { name: 'history', exact: true }).click();
    },
    async travel({ page }, share) {
        const slider = page.getByRole('slider', { name: 'Instant' }), box = await slider.boundingBox();
        await page.mouse.click(box.x + 8 + (box.width - 16) * share, box.y + box.height / 2);
    },
    async compare({ page }) {
        await page.getByRole('button', { name: 'Compare with now' }).click();
    },
};

const focused = page => page.evaluate(() => document.activeElement?.textContent ?? '');

// What has the focus is seen.
async function expectFocusSeen(page) {
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', `the focus is seen on '${await focused(page)}'`);
}

async function tabTo(page, test) {
    for (let i = 0; i < 60; i++) {
        if (test(await focused(page), await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')))
            return;
        await page.keyboard.press('Tab');
    }
    assert.fail('the focus never came there');
}

const KEYS = { Approve: 'a', Undo: 'u', Reject: 'r' };

const keyboard = {
    async openPlan({ page }) {
        await page.keyboard.press('g');
        await page.keyboard.press('p');
        await page.locator('[data-row]').waitFor();
        await page.keyboard.press('j');
        await expectFocusSeen(page);
        await page.keyboard.press('Enter');
    },
    async asks({ page }, verb, reason) {
        await page.locator(`[data-key=${KEYS[verb]}]`).waitFor();
        await page.keyboard.press(KEYS[verb]);
        await page.getByRole('dialog').waitFor();
        await page.keyboard.type(reason);
        await tabTo(page, text => text === verb);
        await expectFocusSeen(page);
        await page.keyboard.press('Enter');
    },
    async openEnvironment({ page }) {
        await page.keyboard.press('g');
        await page.keyboard.press('e');
        await page.keyboard.press('/');
        await page.keyboard.type('prod');
        await page.locator('.row').waitFor();
        await page.keyboard.press('Enter');
        await page.keyboard.press('Enter');
    },
    async openHistory({ page }) {
        await tabTo(page, text => text === 'history');
        await page.keyboard.press('Enter');
    },
    async travel({ page }, share) {
        await page.getByRole('slider', { name: 'Instant' }).waitFor();
        await tabTo(page, (text, label) => label === 'Instant');
        await page.keyboard.press('Home');
        for (let i = 0; i < share * 10; i++)
            await page.keyboard.press('PageUp');
    },
    async compare({ page }) {
        await page.keyboard.press('c');
    },
};

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

async function approvePlan(visitor, hands, version, more) {
    const { page } = visitor;
    await world.tell('deploy', version, more ?? '', `${version}: ${more ? 'a new cache' : 'search answers sooner'}`);
    await world.tell('waits');
    await hands.openPlan(visitor);
    await page.getByText('waiting for approval').waitFor();
    await eventually('the new version is in the plan', () => says(visitor, `+ ${version}`.slice(2)));
    await listen(visitor);
    await hands.asks(visitor, 'Approve', `${version} was looked at`);
    await page.locator('.rollout.runs').waitFor();
    return page.url();
}

async function story(visitor, hands, [good, broken, last]) {
    const { page } = visitor, name = visitor.width > 600 ? 'wide' : 'narrow';

    // a plan for production is approved; green comes up beside blue, then has the traffic
    const plan = await approvePlan(visitor, hands, good);
    if (name === 'wide')
        await eventually('green gets ready', async () => (await heard(visitor)).some(one => /web: (\w+) \d of 2 up, 0 % of the traffic/.test(one)));
    await eventually('it has the traffic', async () => (await heard(visitor)).some(one => /web: \w+ 2 of 2 up, 100 % of the traffic/.test(one)));
    await shoot(visitor, `rollout-${name}`);
    await world.tell('converged');
    await world.tell('serves', good);
    await page.locator('.bar .state').getByText('applied').waitFor();
    assert.ok((await page.getByRole('listitem').filter({ hasText: `${good} was looked at` }).count()) > 0, 'who approved it, and why');

    // one that breaks while it bakes goes back by itself, and says why
    await approvePlan(visitor, hands, broken, ', APP_HEALTH: "fail_after:1500"');
    await eventually('it went back', () => says(visitor, 'reverted'), 40000);
    await hands.openEnvironment(visitor);
    await page.getByText('The last rollout went back').waitFor();
    await page.getByText('Not tried again').waitFor();
    assert.ok(await says(visitor, 'answered 503'), 'why it went back');
    await shoot(visitor, `reverted-${name}`);
    await world.tell('serves', good);

    // a good one again, and back from it
    await approvePlan(visitor, hands, last);
    await world.tell('converged');
    await world.tell('serves', last);
    await hands.openEnvironment(visitor);
    await hands.asks(visitor, 'Undo', 'the numbers look odd');
    await world.tell('serves', good);
    await eventually('it says who took it back, and why', async () => await says(visitor, 'reverted') && await says(visitor, 'the numbers look odd'));
    await shoot(visitor, `environment-${name}`);

    // in history: what was there, and what differs from now
    await hands.openHistory(visitor);
    await page.locator('.events li').first().waitFor();
    assert.ok(await says(visitor, 'the numbers look odd'), 'the undo stands in the history');
    await hands.travel(visitor, 0.1);
    await page.getByText('What happened until then').waitFor();
    await eventually('revision 1 was there', async () => /Revision\s*1\b/.test(await page.locator('.instant').textContent()));
    await shoot(visitor, `history-${name}`);
    await hands.compare(visitor);
    await page.getByText(/changes? of what was asked for/).waitFor();
    await eventually('the fields that differ', () => says(visitor, 'environment.VERSION'));
    assert.ok(await says(visitor, `${good} was looked at`), 'who decided in between');
    await shoot(visitor, `compare-${name}`);
    expectNoFaults(visitor);
    return plan;
}

test('a change goes to production by mouse, wide and light', async () => {
    const ann = await visit(browser, world, { name: 'ann' });
    await story(ann, mouse, ['v2', 'v3', 'v4']);
    await ann.context.close();
});

test('and by keyboard, narrow and dark', async () => {
    const ann = await visit(browser, world, { name: 'ann', width: 390, scheme: 'dark' });
    await story(ann, keyboard, ['v5', 'v6', 'v7']);
    await ann.context.close();
});

test('two approve at once: one is told that somebody was faster', async () => {
    const people = await Promise.all(['ann', 'bob'].map(name => visit(browser, world, { name })));
    await world.tell('deploy', 'v8', '', HOSTILE);
    await world.tell('waits');
    for (const visitor of people) {
        await mouse.openPlan(visitor);
        await eventually('what others wrote is text', () => says(visitor, HOSTILE));
        await visitor.page.getByRole('button', { name: 'Approve …' }).click();
        await visitor.page.getByLabel(/^Reason/).fill('seen');
    }
    await shoot(people[0], 'approve-wide');
    await Promise.all(people.map(({ page }) => page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click()));
    const told = await Promise.all(people.map(async ({ page }) => {
        const notice = page.getByRole('dialog').getByRole('alert');
        await Promise.race([notice.waitFor(), page.getByRole('dialog').waitFor({ state: 'detached' })]);
        return (await notice.count()) ? notice.textContent() : '';
    }));
    assert.equal(told.filter(Boolean).length, 1, `one is told: ${told}`);
    console.log(`   told: ${told.find(Boolean).trim()}`);
    for (const { page } of people) {
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        await page.locator('.plain .state', { hasText: 'approved' }).waitFor();
    }
    await world.tell('converged');
    people.forEach(expectNoFaults);
    await Promise.all(people.map(({ context }) => context.close()));
});

test('each view can be used by everybody, in both widths and colours', async () => {
    const addresses = ['/environments', '/environments/prod?at=service/web', '/environments/prod?at=service/web&tab=operations', '/environments/prod?at=domain/app&tab=events',
        '/environments/prod?at=service/web&tab=logs', '/plans', '/history', '/history?env=prod', '/system', '/access', '/environments/none'];
    await world.tell('deploy', 'v9');
    await world.tell('waits');
    for (const [width, scheme] of [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']]) {
        const ann = await visit(browser, world, { name: 'ann', width, scheme }), name = width > 600 ? 'wide' : 'narrow';
        const isShot = (width > 600) === (scheme === 'light'); // all of them in two of the four, the rest as well
        for (const address of [...(isShot ? addresses : addresses.slice(0, 2)), 'plan']) {
            if (address === 'plan') {
                await ann.go('/plans');
                await ann.page.locator('.row').click();
                await ann.page.locator('.lines').waitFor();
            } else {
                await ann.go(address);
            }
            await ann.page.locator('main h1').first().or(ann.page.locator('main .empty')).first().waitFor();
            await eventually(`${address} is there`, async () => !(await ann.page.locator('.loading').count()));
            await expectAccessible(ann, address);
            await expectFits(ann, address);
            const shot = { '/environments': 'environments', '/environments/prod?at=service/web': 'resource', '/environments/prod?at=service/web&tab=logs': 'logs', '/plans': 'plans',
                plan: 'plan', '/system': 'system', '/access': 'access' }[address];
            if (isShot && shot)
                await shoot(ann, `${shot}-${name}`);
        }
        await ann.page.keyboard.press('?');
        await ann.page.getByRole('dialog').waitFor();
        await expectAccessible(ann, 'the keys');
        expectNoFaults(ann);
        await ann.context.close();
        const nobody = await visit(browser, world, { width, scheme });
        await nobody.go('/plans');
        await nobody.page.getByLabel('Password').waitFor();
        await expectAccessible(nobody, 'signing in');
        if (isShot)
            await shoot(nobody, `sign-in-${name}`);
        await nobody.context.close();
    }
});

test('a hold says who stopped it and why, until it is resumed', async () => {
    const bob = await visit(browser, world, { name: 'bob' }), { page } = bob;
    await mouse.openEnvironment(bob);
    await mouse.asks(bob, 'Hold', 'launch day');
    await page.getByText('‖ Held').waitFor();
    assert.match(await page.locator('.notice.held').textContent(), /by bob: “launch day”/);
    await shoot(bob, 'held-wide');
    await mouse.asks(bob, 'Resume', 'it is over');
    await page.getByText('‖ Held').waitFor({ state: 'detached' });
    expectNoFaults(bob);
    await bob.context.close();
});

test('who may only look sees no button, and what is for admins says so', async () => {
    const vic = await visit(browser, world, { name: 'vic' }), { page } = vic;
    await mouse.openPlan(vic);
    await page.getByText('approving needs the role approver').waitFor();
    assert.equal(await page.getByRole('button', { name: /…$/ }).count(), 0);
    await vic.go('/access');
    await page.getByText('Tokens and people are for admins').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Password').fill('no');
    await page.getByLabel('Name').fill('vic');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Not that name and password').waitFor();
    await vic.context.close();
});

test('a token is made, shown once and revoked', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go('/access');
    await page.getByRole('button', { name: 'New token …' }).click();
    await page.getByLabel('What it is for').fill('ci');
    await page.getByRole('button', { name: 'Make it' }).click();
    const token = await page.locator('.secret').textContent();
    const answer = await fetch(`${world.url}/api/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal((await answer.json()).kind, 'token');
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Revoke …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.locator('.state').getByText('revoked').waitFor();
    expectNoFaults(ann);
    await ann.context.close();
});

test('logs are followed as they are written', async () => {
    const [ann, bob] = await Promise.all(['ann', 'bob'].map(name => visit(browser, world, { name })));
    await ann.go('/environments/prod?at=service/web&tab=logs');
    await ann.page.getByRole('log').first().waitFor();
    await world.tell('deploy', 'v10');
    await world.tell('waits');
    await mouse.openPlan(bob);
    await mouse.asks(bob, 'Approve', 'to see its log');
    await ann.page.locator('.tail pre', { hasText: 'version v10' }).first().waitFor();
    await world.tell('converged');
    [ann, bob].forEach(expectNoFaults);
    await Promise.all([ann, bob].map(({ context }) => context.close()));
});
