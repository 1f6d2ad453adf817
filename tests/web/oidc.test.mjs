// oidc: people sign in at an identity provider, a real one, and come back to where they were. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { PASSWORD, expectAccessible, expectNoFaults, openBrowser, shoot, visit } from './browser.mjs';
import { test } from './case.mjs';
import { givenWorld } from './world.mjs';

let browser, world;

before(async () => {
    [browser, world] = await Promise.all([openBrowser(), givenWorld('oidc')]);
    await world.tell('provider');
});

after(async () => {
    await browser?.close();
    await world?.end();
});

const door = page => page.getByRole('link', { name: 'Sign in with the identity provider' });
const actorOf = async ({ context }) => (await (await context.request.get(`${world.url}/api/v1/me`)).json()).actor;

// At the provider's own pages, which say who it is and what for.
async function comeBack({ page }, name) {
    await page.getByPlaceholder('Enter any login').fill(name);
    await page.getByPlaceholder('and password').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
}

test('who has not signed in is sent there, and comes back to the page that was asked for', async () => {
    const olga = await visit(browser, world, { elsewhere: world.provider }), { page } = olga;
    await olga.go('/environments/prod?at=service/web&tab=events');
    await door(page).waitFor();
    await expectAccessible(olga, 'a sign-in with both ways');
    await shoot(olga, 'sign-in-wide');
    await door(page).press('Enter'); // by keyboard, as everything
    await comeBack(olga, 'olga@acme');
    await page.getByRole('heading', { name: 'prod' }).waitFor();
    assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, '/environments/prod?at=service/web&tab=events');
    await page.locator('.events li').first().waitFor();
    assert.equal(await actorOf(olga), 'person:olga');
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Access' }).click();
    await page.getByText('approver').first().waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await door(page).waitFor();
    await page.reload();
    await door(page).waitFor();
    expectNoFaults(olga);
});

test('who changes their mind there is told so, and nobody is signed in', async () => {
    const olga = await visit(browser, world, { elsewhere: world.provider }), { page } = olga;
    await olga.go('/history');
    await door(page).click();
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.getByText('did not let them in').waitFor();
    await expectAccessible(olga, 'a refusal');
    assert.equal(await actorOf(olga), undefined);
    await page.getByRole('link').first().click();
    await door(page).waitFor();
    expectNoFaults(olga);
});

test('who has no role is let in and sees nothing', async () => {
    const eve = await visit(browser, world, { elsewhere: world.provider }), { page } = eve;
    await eve.go('/environments');
    await door(page).click();
    await comeBack(eve, 'eve@elsewhere');
    await page.getByText('Not allowed').first().waitFor();
    await expectAccessible(eve, 'no role');
    assert.equal(await actorOf(eve), 'person:oidc:eve@elsewhere');
    assert.ok(!(await page.locator('body').textContent()).includes('prod'), 'not even a name');
    expectNoFaults(eve);
});

test('while it is away a password still opens, and an answer of before is refused in words', async () => {
    await world.tell('away');
    const ann = await visit(browser, world, { elsewhere: world.provider }), { page } = ann;
    await ann.go('/plans');
    await door(page).click().catch(() => {}); // the browser says itself that nobody is there
    await page.goto(`${world.url}/api/v1/oidc/callback?code=of-before&state=of-before`);
    await page.getByRole('heading', { name: 'Not signed in' }).waitFor();
    assert.equal(await page.getByRole('alert').textContent(), 'The answer belongs to another sign-in than this browser began.');
    await expectAccessible(ann, 'a refusal');
    await shoot(ann, 'refused-wide');
    await page.getByRole('link', { name: 'Back to signing in' }).press('Enter');
    await page.getByLabel('Name').fill('ann');
    await page.getByLabel('Password').fill(`${PASSWORD} ann`);
    await page.getByLabel('Password').press('Enter');
    await page.getByRole('heading', { name: 'Environments' }).waitFor();
    assert.equal(await actorOf(ann), 'person:ann');
    expectNoFaults(ann);
});
