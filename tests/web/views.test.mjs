// views: each of them by everybody, in both widths and colours, and what is done outside of rollouts. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { eventually, expectAccessible, expectFits, expectNoFaults, openBrowser, shoot, visit } from './browser.mjs';
import { test } from './case.mjs';
import { asks, keyboard, mouse } from './hands.mjs';
import { givenWorld } from './world.mjs';

let browser, world;

before(async () => {
    [browser, world] = await Promise.all([openBrowser(), givenWorld('shop')]);
    await world.tell('approval', 'manual');
});

after(async () => {
    await browser?.close();
    await world?.end();
});

const HANDS = [mouse, keyboard];

// A token by the page: its text, which is shown once.
async function makeToken(visitor, hands, name) {
    await hands.openAccess(visitor);
    await hands.begins(visitor, 'New token');
    await hands.says(visitor, 'What it is for', name);
    await hands.ends(visitor, 'Make it');
    const text = await visitor.page.locator('.secret').textContent();
    await hands.ends(visitor, 'Done');
    await visitor.page.locator('.secret').waitFor({ state: 'detached' });
    return text;
}

for (const hands of HANDS)
    test(`a token is made, shown once and revoked by ${hands.name}`, async () => {
        const ann = await visit(browser, world, { name: 'ann' }), { page } = ann, name = `deploys-${hands.name}`;
        const token = await makeToken(ann, hands, name), row = page.getByRole('row', { name });
        const answer = await fetch(`${world.url}/api/v1/me`, { headers: { Authorization: `Bearer ${token}` } });
        assert.equal((await answer.json()).kind, 'token');
        assert.ok(!(await page.content()).includes(token), 'it is said once');
        await hands.begins(ann, 'Revoke');
        await hands.ends(ann, 'Revoke');
        await row.locator('.state').getByText('revoked').waitFor();
        expectNoFaults(ann);
    });

// [address, picture]; the row of the plan is opened from the list.
const ADDRESSES = [['/environments', 'environments'], ['/environments?find=nothing'], ['/environments/prod?at=service/web', 'resource'],
    ['/environments/prod?at=service/web&tab=operations'], ['/environments/prod?at=domain/app&tab=events'], ['/environments/prod?at=service/web&tab=logs', 'logs'],
    ['/environments/none'], ['/plans', 'plans'], ['plan', 'plan'], ['/plans/none'], ['/history'], ['/history?steps=1'], ['/history?env=prod'], ['event', 'event'],
    ['/history?env=prod&with=now'], ['/system', 'system'], ['/access', 'access']];

async function open(visitor, address) {
    if (address === 'plan') {
        await visitor.go('/plans');
        await visitor.page.locator('.row').click();
        await visitor.page.locator('.lines').waitFor();
        return;
    }
    if (address === 'event') {
        const row = visitor.page.locator('.events li').filter({ has: visitor.page.locator('button[title="plan.stored"]') }).first();
        await visitor.go('/history?env=prod');
        await row.getByRole('button').first().click();
        await row.getByRole('heading', { name: 'plans 1 row written' }).waitFor();
        await row.evaluate(one => one.scrollIntoView());
        return;
    }
    await visitor.go(address);
    await visitor.page.locator('main h1').first().or(visitor.page.locator('main .empty')).first().waitFor();
    await eventually(`${address} is there`, async () => !(await visitor.page.locator('.loading').count()));
}

for (const [width, scheme] of [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']])
    test(`each view can be used by everybody at ${width} px, ${scheme}`, async () => {
        const ann = await visit(browser, world, { name: 'ann', width, scheme }), suffix = width > 600 ? 'wide' : 'narrow';
        const isShot = (width > 600) === (scheme === 'light'); // wide ones are light, narrow ones dark
        if (!(await (await ann.context.request.get(`${world.url}/api/v1/environments/prod`)).json()).plan) {
            await world.tell('deploy', 'v2', ', SEARCH: "sooner", CACHE_MB: "256"', 'v2: search answers sooner, from a larger cache');
            await world.waits();
            await makeToken(ann, mouse, 'deploys');
        }
        for (const [address, picture] of ADDRESSES) {
            await open(ann, address);
            await expectAccessible(ann, address);
            await expectFits(ann, address);
            if (isShot && picture)
                await shoot(ann, `${picture}-${suffix}`);
        }
        await ann.page.keyboard.press('?');
        await ann.page.getByRole('dialog').waitFor();
        await expectAccessible(ann, 'the keys');
        if (isShot)
            await shoot(ann, `keys-${suffix}`);
        expectNoFaults(ann);
        await ann.context.close();
        const nobody = await visit(browser, world, { width, scheme });
        await nobody.go('/plans');
        await nobody.page.getByLabel('Password').waitFor();
        await expectAccessible(nobody, 'signing in');
        await expectFits(nobody, 'signing in');
        if (isShot)
            await shoot(nobody, `sign-in-${suffix}`);
    });

for (const hands of HANDS)
    test(`a hold by ${hands.name} says who stopped it and why, until it is resumed`, async () => {
        const bob = await visit(browser, world, { name: 'bob' }), { page } = bob;
        await hands.openEnvironment(bob);
        await asks(bob, hands, 'Hold', 'launch day');
        await page.getByText('‖ Held').waitFor();
        assert.match(await page.locator('.notice.held').textContent(), /by bob: “launch day”/);
        await expectAccessible(bob, 'a hold');
        if (hands === mouse)
            await shoot(bob, 'held-wide');
        await asks(bob, hands, 'Resume', 'it is over');
        await page.getByText('‖ Held').waitFor({ state: 'detached' });
        expectNoFaults(bob);
    });

test('who may only look sees no button, and what is for admins says so', async () => {
    const vic = await visit(browser, world, { name: 'vic' }), { page } = vic;
    await mouse.openPlan(vic, await world.waits());
    await page.getByText('approving needs the role approver').waitFor();
    assert.equal(await page.getByRole('button', { name: /…$/ }).count(), 0);
    await vic.go('/access');
    await page.getByText('Tokens and people are for admins').waitFor();
    await expectAccessible(vic, 'what is not for them');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Password').fill('no');
    await page.getByLabel('Name').fill('vic');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Wrong name or password').waitFor();
    await expectAccessible(vic, 'a refusal');
});

for (const [hands, version] of [[mouse, 'v3'], [keyboard, 'v4']])
    test(`logs are followed as they are written, opened by ${hands.name}`, async () => {
        const [ann, bob] = await Promise.all(['ann', 'bob'].map(name => visit(browser, world, { name })));
        await hands.openEnvironment(ann);
        await hands.openLogs(ann);
        await ann.page.getByRole('log').first().waitFor();
        await world.tell('deploy', version);
        await hands.openPlan(bob, await world.waits());
        await asks(bob, hands, 'Approve', 'to see its log');
        await ann.page.locator('.tail pre', { hasText: `version ${version}` }).first().waitFor();
        await world.tell('converged');
        [ann, bob].forEach(expectNoFaults);
    });

test('who rolls back is offered what was proven first', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await world.tell('deploy', 'v5');
    await world.waits();
    await ann.go('/environments/prod');
    await mouse.begins(ann, 'Roll back');
    const choice = page.getByLabel('Revision');
    assert.match(await choice.locator('option').first().textContent(), /never proven/);
    assert.doesNotMatch(await choice.locator('option:checked').textContent(), /never proven/);
    expectNoFaults(ann);
});

test('what happened is read page by page, with each step or without', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann, seqs = () => page.locator('.events li').evaluateAll(list => list.map(one => Number(one.dataset.seq)));
    await ann.go('/history');
    await page.locator('.events li').first().waitFor();
    assert.equal(await page.locator('.events .step').count(), 0, 'no step where none is asked for');
    await page.getByRole('checkbox', { name: /each step/ }).check();
    await page.locator('.events .step').first().waitFor();
    const newest = await seqs();
    await page.getByRole('link', { name: 'Older' }).click();
    const before = Number(new URL(page.url()).searchParams.get('before'));
    assert.ok(newest.includes(before), 'what is older is before one that was seen');
    await eventually('what was before', async () => (await seqs())[0] === before - 1);
    await page.goBack();
    await eventually('what is newest', async () => (await seqs()).includes(newest[0]));
    expectNoFaults(ann);
});
