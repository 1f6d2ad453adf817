// visits: what outlives the end of a session, another tab, what happens meanwhile and the way back. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { PASSWORD, eventually, expectAccessible, expectFits, expectNoFaults, openBrowser, shoot, visit } from './browser.mjs';
import { test } from './case.mjs';
import { keyboard, mouse } from './hands.mjs';
import { givenWorld } from './world.mjs';

const LONG = Array.from({ length: 60 }, (_, i) => `, SETTING_NUMBER_${i}_OF_THE_CHECKOUT_SERVICE: "a value that is changed ${i}"`).join('');
const NARROW = 390, HALF = 820, ROWS_PX = 60; // what may have happened meanwhile stands before it
let browser, world, plan;

before(async () => {
    [browser, world] = await Promise.all([openBrowser(), givenWorld('shop')]);
    await world.tell('approval', 'manual');
    await world.tell('deploy', 'v2', `${LONG}, SEARCH: sooner`, 'v2: many settings');
    plan = await world.waits();
});

after(async () => {
    await browser?.close();
    await world?.end();
});

const ended = page => page.getByText('Your session has ended');
const dialogOf = page => page.getByRole('dialog');
const reasonOf = page => dialogOf(page).getByLabel(/^Reason/);
const focused = page => page.evaluate(() => document.activeElement?.tagName);

async function signIn(page, name) {
    await page.getByLabel('Name').fill(name);
    await page.getByLabel('Password').fill(`${PASSWORD} ${name}`);
    await page.getByLabel('Password').press('Enter');
    await page.getByRole('banner').waitFor();
}

// Somebody else asks for something, and the page has drawn what there is since.
async function happens(page) {
    const answer = await fetch(`${world.url}/api/v1/sign-in`, { method: 'POST', body: JSON.stringify({ name: 'bob', password: `${PASSWORD} bob` }) });
    const cookie = answer.headers.getSetCookie().map(one => one.split(';')[0]).join('; '), { csrf } = await answer.json();
    const again = page.waitForResponse(one => new URL(one.url()).pathname === '/api/v1/environments/prod');
    assert.ok((await fetch(`${world.url}/api/v1/environments/prod/reconcile`, { method: 'POST', headers: { cookie, 'X-CSRF-Token': csrf }, body: '{}' })).ok);
    await again;
    await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

test('a reason that is typed outlives the session, for who typed it alone', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go(`/plans/${plan}`);
    await mouse.begins(ann, 'Reject');
    await reasonOf(page).pressSequentially('not before the holidays');
    await world.tell('reeve', 'people', 'sign-out', 'ann');
    await ended(page).waitFor();
    assert.equal(await page.title(), 'Reeve', 'nothing of the plan is left in the title');
    await expectAccessible(ann, 'a session that ended');
    await shoot(ann, 'session-wide');
    await signIn(page, 'ann');
    assert.equal(await reasonOf(page).inputValue(), 'not before the holidays', 'it is asked on, with what was typed');

    await ann.context.clearCookies();
    await dialogOf(page).getByRole('button', { name: 'Reject' }).click({ timeout: 5000 }).catch(() => {}); // the page may have asked for something before
    await ended(page).waitFor();
    await signIn(page, 'bob');
    await page.getByRole('button', { name: 'Reject …' }).waitFor();
    assert.equal(await dialogOf(page).count(), 0, 'bob is not asked what ann was');
    await mouse.begins(ann, 'Reject');
    assert.equal(await reasonOf(page).inputValue(), '', 'nor reads what she typed');
    expectNoFaults(ann);
});

test('a reason is there again after the page was loaded anew, and gone once it was said', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go('/environments/prod');
    await mouse.begins(ann, 'Hold');
    await reasonOf(page).pressSequentially('launch day');
    await page.reload();
    await mouse.begins(ann, 'Hold');
    assert.equal(await reasonOf(page).inputValue(), 'launch day');
    await mouse.ends(ann, 'Hold');
    await page.getByText('‖ Held').waitFor();
    await mouse.begins(ann, 'Resume');
    assert.equal(await reasonOf(page).inputValue(), '');
    await mouse.says(ann, /^Reason/, 'it is over');
    await mouse.ends(ann, 'Resume');
    await page.getByText('‖ Held').waitFor({ state: 'detached' });
    expectNoFaults(ann);
});

test('who signs in anew in another tab goes on in this one; as somebody else, nothing is done', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann, other = await ann.context.newPage();
    await ann.go('/environments/prod');
    await page.getByRole('button', { name: 'Reconcile …' }).waitFor();
    for (const name of ['ann', 'bob']) {
        await other.goto(`${world.url}/environments`);
        await other.getByRole('heading', { name: 'Environments' }).waitFor();
        await ann.context.request.post(`${world.url}/api/v1/sign-in`, { data: { name, password: `${PASSWORD} ${name}` } });
        await mouse.begins(ann, 'Reconcile');
        await mouse.ends(ann, 'Reconcile');
        if (name === 'ann')
            await dialogOf(page).waitFor({ state: 'detached' });
        else
            assert.match(await dialogOf(page).getByRole('alert').textContent(), /signed in as bob by now, and nothing was done/);
    }
    expectNoFaults(ann);
});

test('what was chosen in a question is as it was when something happens meanwhile', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go('/environments/prod');
    await mouse.begins(ann, 'Hold');
    await dialogOf(page).getByLabel('How long').selectOption({ label: 'for an hour' });
    await reasonOf(page).fill('a look at the numbers');
    await happens(page);
    assert.equal(await dialogOf(page).getByLabel('How long').inputValue(), '3600000');
    await mouse.ends(ann, 'Hold');
    await page.locator('.notice.held time').first().waitFor();
    await world.tell('reeve', 'resume', 'prod', '--reason', 'done');
    expectNoFaults(ann);
});

test('each view has a title, and the focus where it begins; the way back ends where it was left', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go('/history?steps=1');
    await page.locator('.events li').nth(40).waitFor();
    assert.equal(await page.title(), 'History · Reeve');
    assert.equal(await focused(page), 'MAIN', 'keys that scroll do');
    await page.keyboard.press('PageDown');
    const top = () => page.locator('main').evaluate(one => one.scrollTop);
    let before = 0;
    await eventually('it has scrolled, and rests', async () => {
        const was = before;
        before = await top();
        return before > 200 && before === was;
    });
    await page.keyboard.press('g');
    await page.keyboard.press('e');
    await page.getByRole('heading', { name: 'Environments' }).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'prod' }).waitFor();
    assert.deepEqual([await page.title(), await focused(page)], ['prod · Reeve', 'MAIN']);
    await page.goBack();
    await page.goBack();
    await page.locator('.events li').nth(40).waitFor();
    assert.ok(Math.abs(await top() - before) < ROWS_PX, `${await top()} is where it was left, ${before}`);
    await page.goForward();
    await page.goForward();
    await page.getByRole('heading', { name: 'prod' }).waitFor();

    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.goBack();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expectNoFaults(ann);
});

// [address, whether something is there]: the daemon and the page say the same.
const PLACES = [['/nowhere', false], ['/plans/', false], ['/plans/5c1e/x', false], ['/history/x', false], ['/sign-in/x', false], ['/constructor', false],
    ['/app/x', false], ['//', false], [`/${'nowhere'.repeat(40)}`, false], ['/<b>bold</b>', false],
    ['/', true], ['/environments', true], ['/plans', true], ['/plans/5c1e', true], ['/history?env=prod', true], ['/system', true], ['/access', true], ['/sign-in', true]];

for (const [name, width] of [['ann', 1280], [undefined, NARROW]])
    test(`where nothing is, ${name ?? 'nobody'} is told so at ${width} px, and led back`, async () => {
        const visitor = await visit(browser, world, { name, width }), { page } = visitor, nothing = page.getByRole('heading', { name: 'Not found' });
        for (const [address, isThere] of PLACES) {
            const answer = await visitor.go(address);
            assert.equal(answer.status(), isThere ? 200 : 404, address);
            await (isThere ? page.getByRole('button', { name: name ? 'Sign out' : 'Sign in' }) : nothing).waitFor();
            assert.equal(await nothing.count(), isThere ? 0 : 1, address);
            await expectFits(visitor, address);
        }
        await visitor.go('/<b>bold</b>');
        await page.locator('main code', { hasText: '/%3Cb%3Ebold%3C/b%3E' }).waitFor();
        assert.equal(await page.title(), 'Not found · Reeve');
        await expectAccessible(visitor, 'what is not there');
        await page.getByRole('link', { name: 'All environments' }).click();
        await (name ? page.getByRole('heading', { name: 'Environments' }) : page.getByLabel('Password')).waitFor();
        assert.equal(new URL(page.url()).pathname, '/environments');
        await visitor.go('/environments/%zz');
        await nothing.waitFor();
        expectNoFaults(visitor);
    });

test('numbers and names say what they are of: environments, instances, and what a domain leads to', async () => {
    const ann = await visit(browser, world, { name: 'ann', width: NARROW }), { page } = ann;
    await page.locator('.count', { hasText: /^1 environment$/ }).waitFor();
    await ann.go('/environments/prod?at=domain/app');
    await page.locator('[data-node="service/web"]').getByText('2/2 up').waitFor();
    const observed = page.locator('.side').filter({ has: page.getByRole('heading', { name: 'Observed' }) });
    await observed.locator('dt', { hasText: '/api@' }).waitFor();
    assert.match(await observed.textContent(), /web (blue|green) 100 %.*api (blue|green) 100 %/, 'a service, not a backend of the edge');
    await expectFits(ann, 'a domain');
    expectNoFaults(ann);
});

test('at half the width of a screen no row loses its end, and no value its room', async () => {
    const ann = await visit(browser, world, { name: 'ann', width: HALF }), { page } = ann;
    for (const [address, cells] of [['/environments', '.row > *'], ['/plans', '.row > *'], ['/environments/prod?at=service/web', '.fields dd']]) {
        await ann.go(address);
        await page.locator(cells).first().waitFor();
        const boxes = await page.locator(cells).evaluateAll(all => all.filter(one => one.textContent && one.getClientRects().length).map(one => [one.textContent, one.getBoundingClientRect().right, one.getBoundingClientRect().width]));
        assert.deepEqual(boxes.filter(([, right]) => right > HALF), [], `${address}: beyond the edge`);
        assert.deepEqual(boxes.filter(([text, , width]) => width < Math.min(text.length * 4, 100)), [], `${address}: no room`);
        await expectFits(ann, address);
        await expectAccessible(ann, address);
    }
    expectNoFaults(ann);
});

test('who approves by keyboard is not left outside of the page when the button goes', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go(`/plans/${plan}`);
    await keyboard.begins(ann, 'Reject');
    await keyboard.says(ann, /^Reason/, 'another one comes');
    await keyboard.ends(ann, 'Reject');
    await page.locator('.bar .state', { hasText: 'rejected' }).waitFor();
    await eventually('the focus is in the view', async () => (await focused(page)) === 'MAIN');
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Plans' }).waitFor();
    expectNoFaults(ann);
});

test('what cannot be brought up to date says so, and why, until it is', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go('/environments/prod');
    await page.locator('.graph').waitFor();
    await page.route('**/api/v1/environments/prod', route => route.fulfill({ status: 503, json: { detail: 'the disk is full', code: 'NO_SPACE' } }));
    await happens(page);
    await page.getByText('Not all of this is up to date. The disk is full.').waitFor();
    await expectAccessible(ann, 'something that is not up to date');
    assert.ok(await page.locator('.graph').isVisible(), 'what was there stays');
    await page.unroute('**/api/v1/environments/prod');
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('Not all of this is up to date').waitFor({ state: 'detached' });
    await ann.go('/environments');
    await page.locator('.row').first().waitFor();
    expectNoFaults(ann);
});

test('a commit that is refused says why: with its environment, its source and in the history', async () => {
    await world.tell('deploy', 'v3', ', BROKEN: {not: a text}', 'v3: a typing mistake');
    for (const width of [1280, NARROW]) {
        const ann = await visit(browser, world, { name: 'ann', width }), { page } = ann;
        await ann.go('/environments/prod');
        await page.locator('.notice.failed', { hasText: 'Failed' }).getByText('environment.BROKEN').waitFor();
        await expectFits(ann, 'a refused commit');
        await ann.go('/system');
        await page.locator('.card').getByText('a commit is refused').waitFor();
        const error = page.locator('.card p.failed'), box = page.locator('.card .wide');
        assert.match(await error.textContent(), /environment\.BROKEN/);
        assert.ok(await box.evaluate(one => one.scrollWidth <= one.clientWidth + 1), 'all of the sentence is in sight');
        await ann.go('/history?env=prod');
        const why = page.locator('.events .says', { hasText: 'are refused' }).first();
        await why.waitFor();
        assert.ok(await why.evaluate(one => one.scrollWidth <= one.clientWidth + 1), 'the reason is not cut');
        expectNoFaults(ann);
    }
});

const SAYING = '{"verdict":"<img src=x onerror=alert(1)>"}'; // what is no field of the row
const rowOf = (page, kind) => page.locator('.events li').filter({ has: page.locator(`button[title="${kind}"]`) }).first();

for (const [hands, width, scheme] of [['mouse', 1280, 'light'], ['keyboard', NARROW, 'dark']])
    test(`an event is opened by ${hands} at ${width} px: what it wrote, and words of others as words`, async () => {
        const ann = await visit(browser, world, { name: 'ann', width, scheme }), { page } = ann;
        await world.tell('reeve', 'hold', 'prod', '--reason', SAYING);
        await ann.go('/history?env=prod');
        const row = rowOf(page, 'command.hold'), opener = row.getByRole('button', { name: 'held' });
        await opener.waitFor();
        assert.equal(await opener.getAttribute('aria-expanded'), 'false');
        if (hands === 'mouse')
            await row.click();
        for (let i = 0; hands === 'keyboard' && i < 10 && !await opener.evaluate(one => one === document.activeElement); i++)
            await page.keyboard.press('j');
        if (hands === 'keyboard')
            await page.keyboard.press('Enter');
        await row.getByRole('heading', { name: 'holds 1 row written' }).waitFor();
        assert.equal(await opener.getAttribute('aria-expanded'), 'true');
        const written = await row.locator('.recorded').textContent();
        assert.equal(written.split(SAYING).length - 1, 2, 'the reason in the notes and in the row, as it was given');
        assert.match(await row.locator('.facts dd').last().textContent(), /^[0-9a-f]{64}$/);
        assert.match(await row.locator('.facts dd code').last().evaluate(one => getComputedStyle(one).fontFamily), /mono/);

        await rowOf(page, 'plan.stored').getByRole('button', { name: 'plan made' }).click();
        await rowOf(page, 'plan.stored').getByText('needs.min').waitFor();
        assert.match(await rowOf(page, 'plan.stored').locator('.fields time').first().textContent(), /\d:\d\d:\d\d UTC$/);
        await expectFits(ann, 'what was written');
        await expectAccessible(ann, 'what was written');

        const [seq, other] = new URL(page.url()).searchParams.get('open').split('.');
        assert.ok(seq && other, 'those that are open stand in the address');
        await page.reload();
        await row.getByRole('heading', { name: 'holds' }).waitFor();
        await row.getByRole('link', { name: `no. ${seq}` }).click();
        await eventually('it is the first of its own address', async () => (await page.locator('.events li').first().getAttribute('data-seq')) === seq);
        await page.locator('.events li').first().getByRole('heading', { name: 'holds' }).waitFor();
        await opener.click();
        await page.locator('.recorded').waitFor({ state: 'detached' });
        await world.tell('reeve', 'resume', 'prod', '--reason', 'done');
        expectNoFaults(ann);
    });

test('an event whose body is not kept says so, and one of many rows shows some of them first', async () => {
    const ann = await visit(browser, world, { name: 'ann' }), { page } = ann;
    await ann.go('/history?env=prod');
    const row = rowOf(page, 'plan.stored'), press = () => row.getByRole('button', { name: 'plan made' }).click();
    const answers = body => page.route(url => url.searchParams.has('after') && url.pathname === '/api/v1/history', async route => {
        const answer = await route.fetch(), said = await answer.json();
        await route.fulfill({ json: { ...said, events: said.events.map(one => ({ ...one, body })) } });
    });
    await answers(undefined);
    await press();
    await row.getByText('What it wrote is not here').waitFor();
    await press();
    await page.unrouteAll();
    await answers({ gone: { holds: Array.from({ length: 25 }, (_, i) => ({ uid: `hold ${i}`, have: '{"a":{"b":[1,2]}}', drift: '{}', v: '1e3', w: '[1]' })) } });
    await page.reload();
    await press();
    await row.getByRole('heading', { name: 'holds 25 rows removed' }).waitFor();
    assert.equal(await row.locator('.fields').count(), 10);
    assert.match(await row.locator('.fields').first().textContent(), /uidhold 0have\.a\.b1, 2driftemptyv1e3w\[1\]/);
    await row.getByRole('button', { name: 'Show more of 25' }).click();
    assert.equal(await row.locator('.fields').count(), 25);
    expectNoFaults(ann);
});

for (const width of [1280, NARROW])
    test(`a long plan is read to its end at ${width} px: no word is cut, and what decides is in sight`, async () => {
        const ann = await visit(browser, world, { name: 'ann', width }), { page } = ann;
        await ann.go(`/plans/${plan}`);
        await page.locator('.diff li').nth(60).waitFor();
        const broken = await page.locator('.diff').locator('del, ins, .muted').evaluateAll(all => all.filter(one => !/\s/.test(one.textContent) && one.getClientRects().length > 1).map(one => one.textContent));
        assert.deepEqual(broken, [], 'words that go on in another line');
        const short = page.locator('.diff li', { hasText: 'environment.SEARCH' }).locator('ins');
        assert.ok((await short.boundingBox()).height < 30, 'one word, one line');
        await expectFits(ann, 'a long plan');
        await expectAccessible(ann, 'a long plan');
        await world.tell('deploy', `v${width}`, `${LONG}, SEARCH: sooner`, 'the same, again');
        await ann.go(`/plans/${await world.waits()}`);
        const approve = page.getByRole('button', { name: 'Approve …' });
        for (const top of [0, 400, 100000]) {
            await page.locator('main').evaluate((one, to) => (one.scrollTop = to), top);
            const box = await approve.boundingBox();
            assert.ok(box.y > 0 && box.y + box.height <= 860, `the button is in sight at ${top}`);
        }
        expectNoFaults(ann);
    });
