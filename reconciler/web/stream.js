// stream: events of the daemon, each once and in order. SPDX-License-Identifier: Apache-2.0
//
// Server-sent events, read by fetch: an EventSource hears no event whose name it does not know, and is not told why it was
// refused. Goes on after the last event that was heard, whoever ended the stream; tries again at once, then after 1, 2, 4
// .. 15 s. `lost(since)`: nobody was reached for a moment; `found()`: the stream is there. `refused(status)`: the daemon
// does not know us (401) or has not got that far (400); nothing is tried until start() is called again.

const WAITS_MS = [0, 1000, 2000, 4000, 8000, 15000];
const GRACE_MS = 1500;   // a stream that ends and is back by then was not lost
const SILENCE_MS = 40000; // the daemon says something every 15 s

export function newStream({ event, lost, found, refused }) {
    let stop = null, timer = 0, grace = 0, silence = 0, tries = 0, last = 0, since = 0;

    function end() {
        clearTimeout(timer);
        clearTimeout(silence);
        stop?.abort();
        stop = null;
    }

    function failed() {
        end();
        since ||= Date.now();
        grace ||= setTimeout(() => lost(since), GRACE_MS);
        timer = setTimeout(open, WAITS_MS[Math.min(tries++, WAITS_MS.length - 1)]);
    }

    function heard() {
        clearTimeout(silence);
        silence = setTimeout(failed, SILENCE_MS);
    }

    function take(block) {
        const data = block.split('\n').filter(line => line.startsWith('data: ')).map(line => line.slice(6)).join('\n');
        const one = data && JSON.parse(data);
        if (!one || !(one.seq > last))
            return;
        last = one.seq;
        event(one);
    }

    async function read(body) {
        let rest = '';
        for await (const text of body.pipeThrough(new TextDecoderStream())) {
            const blocks = (rest + text).split('\n\n');
            rest = blocks.pop();
            heard();
            blocks.forEach(take);
        }
    }

    async function open() {
        const mine = stop = new AbortController();
        try {
            const answer = await fetch('/api/v1/events', { headers: { 'Last-Event-ID': String(last) }, signal: mine.signal, cache: 'no-store' });
            if (answer.status === 400 || answer.status === 401) {
                end();
                refused(answer.status);
                return;
            }
            if (answer.ok) {
                clearTimeout(grace);
                tries = grace = since = 0;
                heard();
                found();
                await read(answer.body);
            }
        } catch { /* it ended, or never was: the same */ }
        if (stop === mine)
            failed();
    }

    return {
        start(after) {
            end();
            last = after;
            open();
        },
        again() {
            end();
            open();
        },
        stop() {
            end();
            clearTimeout(grace);
            grace = since = tries = 0;
        },
    };
}
