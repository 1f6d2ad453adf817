// hands: the same deeds by mouse and by keyboard. SPDX-License-Identifier: Apache-2.0
//
// Each pair of hands has the same functions, so that a story is told once and done by both. A plan is opened by its id: the
// list may still show the one before it.
import assert from 'node:assert/strict';

const focused = page => page.evaluate(() => document.activeElement?.textContent ?? '');

// What has the focus is seen.
async function expectFocusSeen(page) {
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', `the focus is seen on '${await focused(page)}'`);
}

const TABS_MAX = 80;

async function tabTo(page, what, test) {
    for (let i = 0; i < TABS_MAX; i++) {
        if (test(await focused(page), await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')))
            return;
        await page.keyboard.press('Tab');
    }
    assert.fail(`the focus never came to ${what}`);
}

async function pressTo(page, text) {
    await tabTo(page, text, one => one === text);
    await expectFocusSeen(page);
    await page.keyboard.press('Enter');
}

export const mouse = {
    name: 'mouse',
    async openPlan({ page }, id) {
        await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Plans' }).click();
        await page.locator(`[data-row][href="/plans/${id}"]`).click();
    },
    async begins({ page }, verb) {
        await page.getByRole('button', { name: `${verb} …` }).click();
    },
    async says({ page }, label, text) {
        await page.getByLabel(label).fill(text);
    },
    async ends({ page }, verb) {
        await page.getByRole('dialog').getByRole('button', { name: verb }).click();
    },
    async openEnvironment({ page }) {
        await page.getByRole('link', { name: 'Environments', exact: true }).click();
        await page.getByRole('link', { name: /^prod/ }).click();
    },
    async openAccess({ page }) {
        await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Access' }).click();
    },
    async openLogs({ page }) {
        await page.locator('[data-node="service/web"]').click();
        await page.getByRole('link', { name: 'Logs' }).click();
    },
    async openHistory({ page }) {
        await page.getByRole('link', { name: 'history', exact: true }).click();
    },
    async travel({ page }, share) {
        const slider = page.getByRole('slider', { name: 'Point in time' }), box = await slider.boundingBox();
        await page.mouse.click(box.x + 8 + (box.width - 16) * share, box.y + box.height / 2);
    },
    async compare({ page }) {
        await page.getByRole('button', { name: 'Compare with now' }).click();
    },
};

const KEYS = { Approve: 'a', Undo: 'u', Reject: 'r', Advance: 'v' };

export const keyboard = {
    name: 'keyboard',
    async openPlan({ page }, id) {
        await page.keyboard.press('g');
        await page.keyboard.press('p');
        await page.locator(`[data-row][href="/plans/${id}"]`).waitFor();
        await page.keyboard.press('j');
        await expectFocusSeen(page);
        await page.keyboard.press('Enter');
    },
    async begins({ page }, verb) {
        await page.getByRole('button', { name: `${verb} …` }).waitFor();
        if (KEYS[verb])
            await page.keyboard.press(KEYS[verb]);
        else
            await pressTo(page, `${verb} …`);
        await page.getByRole('dialog').waitFor();
    },
    async says({ page }, label, text) {
        const id = await page.getByLabel(label).getAttribute('id');
        for (let i = 0; i < TABS_MAX && await page.evaluate(() => document.activeElement?.id) !== id; i++)
            await page.keyboard.press('Tab');
        await page.keyboard.type(text);
    },
    async ends({ page }, verb) {
        await pressTo(page, verb);
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
    async openAccess({ page }) {
        await page.keyboard.press('g');
        await page.keyboard.press('t');
    },
    async openLogs({ page }) {
        await page.locator('[data-node="service/web"]').waitFor();
        for (let i = 0; i < TABS_MAX && await page.evaluate(() => document.activeElement?.dataset.node) !== 'service/web'; i++)
            await page.keyboard.press('j');
        await expectFocusSeen(page);
        await page.keyboard.press('Enter');
        await page.getByRole('link', { name: 'Logs' }).waitFor();
        await page.keyboard.press('l');
    },
    async openHistory({ page }) {
        await pressTo(page, 'history');
    },
    async travel({ page }, share) {
        await page.getByRole('slider', { name: 'Point in time' }).waitFor();
        await tabTo(page, 'the slider', (text, label) => label === 'Point in time');
        await page.keyboard.press('Home');
        for (let i = 0; i < share * 10; i++)
            await page.keyboard.press('PageUp');
    },
    async compare({ page }) {
        await page.keyboard.press('c');
    },
};

// What the daemon says to what was asked: nothing where it is done, else why not.
export async function toldTo({ page }) {
    const dialog = page.getByRole('dialog'), notice = dialog.getByRole('alert');
    await notice.or(page.locator('body:not(:has(dialog[open]))')).first().waitFor();
    return (await notice.count()) ? notice.textContent() : '';
}

// What is asked first: the verb, the reason, the verb again; it is done when this is.
export async function asks(visitor, hands, verb, reason) {
    await hands.begins(visitor, verb);
    await hands.says(visitor, /^Reason/, reason);
    await hands.ends(visitor, verb);
    assert.equal(await toldTo(visitor), '', `${verb}: what the daemon says to it`);
}
