// browser: Chromium as people use it. SPDX-License-Identifier: Apache-2.0
//
// One browser a test file. A visitor is a person with a session of their own; what the page logs as an error, and what it
// asks of other hosts, fails the test that has it (visitor.faults).
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { small } from './png.mjs';

const { chromium } = await import(`${process.env.PLAYWRIGHT}/index.mjs`);
const IMAGES = fileURLToPath(new URL('../../docs/img/', import.meta.url));
export const PASSWORD = 'correct horse battery staple';
const PATIENCE_MS = 60000; // of everything that is waited for; the machine may be slow
const SHOWN_MAX = 4000;
const visitors = new Set();

export const openBrowser = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb'] });

// {width, scheme}: 1280 and light where nothing else is said. `name`: signed in; absent: nobody. `elsewhere`: another host that
// may be gone to; what its pages want of others is their own fault. Nothing leaves this machine. `isTimed`: nobody stands
// between page and daemon, where each request would wait for this process; other hosts are left to the page's own policy.
export async function visit(browser, world, { name, width = 1280, scheme = 'light', elsewhere, isTimed } = {}) {
    const context = await browser.newContext({ viewport: { width, height: width < 600 ? 844 : 860 }, colorScheme: scheme, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce' });
    const page = await context.newPage(), faults = [], bytes = { sent: 0 };
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', error => faults.push(String(error)));
    page.on('console', message => message.type() === 'error' && !/status of \d+|net::ERR_/.test(message.text()) && faults.push(message.text()));
    const may = url => url.startsWith(world.url) || (elsewhere && url.startsWith(elsewhere));
    await (isTimed || context.route(url => !may(url.href), route => {
        if (!elsewhere || !route.request().frame().url().startsWith(elsewhere))
            faults.push(`asked ${route.request().url()}`);
        return route.abort();
    }));
    const visitor = { context, page, faults, bytes, width, scheme, go: path => page.goto(world.url + path) };
    visitors.add(visitor);
    context.on('close', () => visitors.delete(visitor));
    if (name) {
        await visitor.go('/sign-in');
        await page.getByLabel('Name').fill(name);
        await page.getByLabel('Password').fill(`${PASSWORD} ${name}`);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('heading', { name: 'Environments' }).waitFor();
    }
    return visitor;
}

// What each of them sees: for who finds that something is not as it should be.
export async function showPages() {
    const shown = [...visitors].map(async ({ page, faults }) => {
        const text = await page.locator('body').innerText({ timeout: 5000 }).catch(error => `nothing: ${error.message}`);
        return `--- ${page.url()}\n${text.slice(0, SHOWN_MAX)}${faults.map(one => `\n    fault: ${one}`).join('')}`;
    });
    return (await Promise.all(shown)).join('\n');
}

export const leave = () => Promise.all([...visitors].map(({ context }) => context.close()));

export const expectNoFaults = visitor => assert.deepEqual(visitor.faults, []);

// What axe finds that keeps somebody out.
export async function expectAccessible(visitor, what) {
    await visitor.page.evaluate(readFileSync(process.env.AXE, 'utf8'));
    const found = await visitor.page.evaluate(async () => (await globalThis.axe.run(document, { resultTypes: ['violations'] })).violations
        .filter(one => one.impact === 'serious' || one.impact === 'critical').map(one => `${one.id}: ${one.nodes.map(node => `${node.html.slice(0, 160)} (${node.any[0]?.message ?? ''})`).join(' | ')}`));
    assert.deepEqual(found, [], `${what} at ${visitor.width} px, ${visitor.scheme}`);
}

// Nothing lies beyond the edge, and nobody scrolls sideways; on a phone no table either.
export async function expectFits(visitor, what) {
    const all = visitor.width < 600 ? 'body, main, .page, .wide' : 'body, main, .page';
    const over = await visitor.page.evaluate(boxes => [...document.querySelectorAll(boxes)].filter(one => one.scrollWidth > one.clientWidth + 1).map(one => `${one.tagName}.${one.className} ${one.scrollWidth} > ${one.clientWidth}`), all);
    assert.deepEqual(over, [], `${what} at ${visitor.width} px`);
}

// Only when asked for, so that a run leaves the tree as it was.
export async function shoot(visitor, name) {
    if (!process.env.WEB_SHOTS)
        return;
    mkdirSync(IMAGES, { recursive: true });
    await visitor.page.evaluate(() => document.activeElement?.blur());
    writeFileSync(`${IMAGES}${name}.png`, small(await visitor.page.screenshot({ animations: 'disabled' })));
}

export async function eventually(what, look, deadlineMs = PATIENCE_MS) {
    for (const end = Date.now() + deadlineMs;; await new Promise(resolve => setTimeout(resolve, 50))) {
        if (await look())
            return;
        if (Date.now() > end)
            assert.fail(`not within ${deadlineMs} ms: ${what}`);
    }
}
