// crowd: a thousand environments while ten things happen a second. SPDX-License-Identifier: Apache-2.0
//
// Prints a table: what was measured, the floor that is asked of it beside it; asks only whether it could be measured, and
// that the page shows what happened. CROWD_N environments (1000), for CROWD_S seconds (20; a minute for the figures of the
// documentation).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { PASSWORD, eventually, expectNoFaults, openBrowser, shoot, visit } from './browser.mjs';
import { test } from './case.mjs';
import { givenWorld } from './world.mjs';

const N = Number(process.env.CROWD_N ?? 1000), SECONDS = Number(process.env.CROWD_S ?? 20), PER_S = 10;
const rows = [];
let browser, world;

before(async () => {
    [browser, world] = await Promise.all([openBrowser(), givenWorld('estate', String(N))]);
});

after(async () => {
    await browser?.close();
    await world?.end();
});

const figure = (what, value, unit, target) => rows.push([what.padEnd(64), String(value).padStart(10), unit.padEnd(4), target].join(' '));

// Somebody else, who holds and resumes: each is an event.
async function newOther() {
    const answer = await fetch(`${world.url}/api/v1/sign-in`, { method: 'POST', body: JSON.stringify({ name: 'bob', password: `${PASSWORD} bob` }) });
    const cookie = answer.headers.getSetCookie().map(one => one.split(';')[0]).join('; '), { csrf } = await answer.json();
    return (env, verb) => fetch(`${world.url}/api/v1/environments/${env}/${verb}`, { method: 'POST', headers: { cookie, 'X-CSRF-Token': csrf }, body: '{"reason":"a crowd"}' });
}

async function heap(session) {
    await session.send('HeapProfiler.collectGarbage');
    return heapSoon(session);
}

// Of the processors of a machine that is a guest: what its host gave to others, and all, in ticks.
function stolen() {
    const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/ +/).slice(1, 9).map(Number);
    return [ticks[7], ticks.reduce((sum, one) => sum + one)];
}

// Bytes of the list that are not sent because it is compressed.
async function savedBy(ann) {
    const lengthOf = async coding => Number((await ann.context.request.head(`${world.url}/api/v1/environments?limit=1000`, { headers: { 'Accept-Encoding': coding } })).headers()['content-length']);
    return await lengthOf('identity') - await lengthOf('gzip');
}

// Without a collection, which would be a long frame: what is used now, some of it no more.
async function heapSoon(session) {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(one => one.name === 'JSHeapUsedSize').value / 2 ** 20;
}

async function firstView(ann) {
    const session = await ann.context.newCDPSession(ann.page);
    let encoded = 0, page = 0, files = 0, n = 0;
    const kinds = new Map();
    await session.send('Network.enable');
    session.on('Network.responseReceived', ({ requestId, response }) => {
        const path = new URL(response.url).pathname;
        kinds.set(requestId, path);
        if (!path.startsWith('/api/'))
            files += Number(response.headers['Content-Length'] ?? response.headers['content-length']);
    });
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
        encoded += encodedDataLength;
        if (!kinds.get(requestId)?.startsWith('/api/')) {
            page += encodedDataLength;
            n++;
        }
    });
    await session.send('Network.setCacheDisabled', { cacheDisabled: true });
    const times = [];
    for (let i = 0; i < 5; i++) {
        encoded = page = files = n = 0;
        await ann.page.evaluate(() => localStorage.clear());
        await ann.go('/environments');
        await ann.page.locator('.row').first().waitFor();
        times.push(await ann.page.evaluate(() => performance.getEntriesByName('first-row')[0].startTime));
    }
    await session.send('Network.setCacheDisabled', { cacheDisabled: false });
    await eventually('all of it has come', async () => n > 0);
    figure(`the page itself, compressed: ${n} files`, (files / 1000).toFixed(1), 'kB', '60');
    figure('  with the headers of their answers', (page / 1000).toFixed(1), 'kB', '');
    figure(`  and with what it asks of the daemon, ${N} environments`, (encoded / 1000).toFixed(1), 'kB', '');
    figure('  which would be, if that were not compressed', ((encoded + await savedBy(ann)) / 1000).toFixed(1), 'kB', '');
    figure('first view, nothing cached: from the address to the first row', times.sort((a, b) => a - b)[2].toFixed(0), 'ms', '300');
}

// Frames while the list scrolls and things happen, as the browser's own trace has them, and the times between those that it
// gave the page; not those in which tracing begins and ends, or memory is collected.
async function frames({ page }, act) {
    const session = await browser.newBrowserCDPSession(), events = [];
    session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
    await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'toplevel'] } });
    await page.evaluate(() => {
        let last;
        globalThis.gaps = [];
        requestAnimationFrame(function frame(now) {
            if (last)
                globalThis.gaps?.push(now - last);
            last = now;
            if (globalThis.gaps)
                requestAnimationFrame(frame);
        });
    });
    await act();
    const gaps = await page.evaluate(() => {
        const { gaps } = globalThis;
        globalThis.gaps = undefined;
        return gaps.sort((a, b) => a - b);
    });
    const over = new Promise(resolve => session.on('Tracing.tracingComplete', resolve));
    await session.send('Tracing.end');
    await over;
    const main = events.filter(one => one.name === 'FireAnimationFrame').map(one => `${one.pid}.${one.tid}`)[0];
    const all = events.filter(one => one.ph === 'X' && one.dur && `${one.pid}.${one.tid}` === main);
    return { tasks: all.map(one => one.dur / 1000), work: all.map(one => (one.tdur ?? one.dur) / 1000), late: lateFrames(all), gaps };
}

const LATE_MS = 50;

// Frames that came late: how late, and how long the page's thread worked meanwhile. Where it did not, the machine was elsewhere.
function lateFrames(all) {
    const at = [...new Set(all.filter(one => one.name === 'FireAnimationFrame').map(one => one.ts))].sort((a, b) => a - b), tasks = all.filter(one => one.name.endsWith('RunTask'));
    return at.slice(1).map((end, i) => ({ start: at[i], end })).filter(({ start, end }) => end - start > LATE_MS * 1000).map(({ start, end }) => ({
        ms: (end - start) / 1000, work: tasks.filter(one => one.ts < end && one.ts + one.dur > start).reduce((sum, one) => sum + (one.tdur ?? one.dur) / 1000, 0) }));
}

// A row that stays in sight is left where it is, whatever goes before it: none is taken out and put in again.
async function expectRowsStay(page) {
    const moved = await page.evaluate(async () => {
        const box = document.querySelector('.window'), frame = () => new Promise(resolve => requestAnimationFrame(resolve));
        let n = 0;
        const watch = new MutationObserver(list => {
            const gone = new Set(list.flatMap(one => [...one.removedNodes]));
            n += list.flatMap(one => [...one.addedNodes]).filter(one => gone.has(one)).length;
        });
        watch.observe(document.querySelector('.rows'), { childList: true });
        for (const by of [400, 400, 400, -400, -400, -400]) {
            box.scrollTop += by;
            for (let i = 0; i < 3; i++) // scrolled, measured, drawn
                await frame();
        }
        watch.disconnect();
        return n;
    });
    assert.equal(moved, 0, 'rows that stayed in sight and were moved');
}

test(`${N} environments, ${PER_S} events a second`, async () => {
    const ann = await visit(browser, world, { name: 'ann', isTimed: true }), { page } = ann, act = await newOther();
    await firstView(ann);
    await shoot(ann, 'many-wide');
    const session = await ann.context.newCDPSession(page);
    await session.send('Performance.enable');
    await eventually('all of them are counted', async () => (await page.locator('.count').textContent()) === `${N.toLocaleString('en')} environment${N === 1 ? '' : 's'}`);
    assert.ok((await page.locator('.row').count()) < 100, 'only those that are seen are drawn');
    await expectRowsStay(page);

    const before = await heap(session), [stolenBefore, ticksBefore] = stolen();
    let n = 0, middle = 0;
    const { tasks, work, late, gaps } = await frames(ann, async () => {
        const end = Date.now() + SECONDS * 1000;
        let isDown = true;
        for (let due = Date.now(); due < end; due += 1000 / PER_S, n++) {
            if (n === SECONDS * PER_S / 2)
                middle = await heapSoon(session);
            await new Promise(resolve => setTimeout(resolve, Math.max(0, due - Date.now())));
            const env = `e${String(n % Math.min(N, 200)).padStart(5, '0')}`;
            act(env, Math.floor(n / 200) % 2 ? 'resume' : 'hold').catch(() => {});
            await page.mouse.move(600, 500);
            page.mouse.wheel(0, isDown ? 400 : -400);
            if (n % 50 === 49)
                isDown = !isDown;
        }
    });
    const [stolenAfter, ticksAfter] = stolen(), after_ = await heap(session);
    figure(`frames in ${SECONDS} s of scrolling and ${n} commands`, gaps.length, '', '');
    figure('  time between two frames, median', gaps[Math.floor(gaps.length / 2)].toFixed(1), 'ms', '16.7');
    figure('  p99', gaps[Math.floor(gaps.length * 0.99)].toFixed(1), 'ms', '');
    figure('  longest', gaps.at(-1).toFixed(1), 'ms', '50');
    figure('  above 50 ms', gaps.filter(ms => ms > 50).length, '', '0');
    figure('longest task of the page, by the trace', Math.max(...tasks).toFixed(1), 'ms', '50');
    figure('  tasks above 50 ms', tasks.filter(ms => ms > 50).length, '', '0');
    figure('longest task in time of the processor: without what else runs', Math.max(...work).toFixed(1), 'ms', '50');
    figure('  of the processors, what the host gave to others meanwhile', (100 * (stolenAfter - stolenBefore) / (ticksAfter - ticksBefore)).toFixed(1), '%', '0');
    late.forEach(one => figure(`  of all of its tasks in a frame that took ${one.ms.toFixed(1)} ms`, one.work.toFixed(1), 'ms', ''));
    figure('memory of scripts at the beginning', before.toFixed(1), 'MiB', '');
    figure('  in the middle, with what was not collected yet', middle.toFixed(1), 'MiB', '');
    figure('  at the end', after_.toFixed(1), 'MiB', 'flat');
    console.log(`${'what'.padEnd(64)} ${'value'.padStart(10)} unit floor\n${rows.join('\n')}`);

    await eventually('what happened last is shown', async () => {
        await page.getByRole('searchbox').fill('is:held');
        const shown = Number((await page.locator('.count').textContent()).split(' ')[0].replaceAll(',', ''));
        const status = await (await ann.context.request.get(`${world.url}/api/v1/environments?limit=1000`)).json();
        return shown === status.environments.filter(one => one.sync === 'held').length;
    });
    expectNoFaults(ann);
});
