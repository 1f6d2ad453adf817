// logs: the newest lines of each instance, followed as they are written. SPDX-License-Identifier: Apache-2.0
//
// The daemon answers when there is something new, so nothing is asked for by the clock. At the end of the text the newest
// line stays in sight; whoever scrolls up is left in peace.
import { ask, part } from '../api.js';
import { Empty, Failed, Loading, State } from '../parts.js';
import { html, useEffect, useLayoutEffect, useRef, useState } from '../vendor/preact.js';
import { plural } from '../words.js';

const LINES = 200, WAIT_MS = 25000, AGAIN_MS = 3000;

// What is there, and then what comes, until the view is gone.
function useLogs(env, service, follows) {
    const [said, setSaid] = useState({ data: null, error: null });
    useEffect(() => {
        let isOver = false, timer = 0;
        async function look(tag) {
            const query = `?lines=${LINES}${service ? `&service=${part(service)}` : ''}${tag ? `&after=${tag}&wait_ms=${WAIT_MS}` : ''}`;
            try {
                const data = await ask(`/environments/${part(env)}/logs${query}`);
                if (isOver)
                    return;
                if (!data.same)
                    setSaid({ data, error: null });
                if (follows)
                    look(data.tag);
            } catch (error) {
                if (isOver)
                    return;
                setSaid(old => ({ data: old.data, error }));
                timer = setTimeout(look, AGAIN_MS);
            }
        }
        look();
        return () => {
            isOver = true;
            clearTimeout(timer);
        };
    }, [env, service, follows]);
    return said;
}

// "instance/web@8e07dbecef0b.0" is blue.0 of a set that is known.
function nameOf(one, sets) {
    const [, digest, ordinal] = /@([0-9a-f]+)\.(\d+)$/.exec(one.name) ?? [], set = sets.find(set => set.set?.startsWith(digest));
    return set ? `${set.colour}.${ordinal}` : one.name;
}

function Tail({ one, name }) {
    const ref = useRef(null), isAtEnd = useRef(true);
    useLayoutEffect(() => {
        if (isAtEnd.current)
            ref.current.scrollTop = ref.current.scrollHeight;
    });
    return html`<section class="tail"><h3 title=${one.name}><code>${name}</code> <span class="muted"><${State} word=${one.status} /> · ${plural(one.lines.length, 'line')}</span></h3>
        <pre ref=${ref} tabindex="0" role="log" aria-label=${`log of ${name}`}
            onScroll=${event => (isAtEnd.current = event.target.scrollHeight - event.target.scrollTop - event.target.clientHeight < 8)}>${one.lines.join('\n') || 'Nothing was written.'}</pre></section>`;
}

export function Logs({ env, service }) {
    const [follows, setFollows] = useState(true), said = useLogs(env.name, service, follows), sets = env.services.find(one => one.name === service)?.sets ?? [];
    return html`<div class="logs"><label class="check"><input type="checkbox" checked=${follows} onChange=${() => setFollows(!follows)} /> follow</label>
        ${said.error && html`<${Failed} problem=${said.error} what="Logs" />`}
        ${!said.data ? !said.error && html`<${Loading} what="logs" />`
        : said.data.instances.length ? [...said.data.instances].sort((a, b) => a.name.localeCompare(b.name)).map(one => html`<${Tail} key=${one.name} one=${one} name=${nameOf(one, sets)} />`)
        : html`<${Empty} title="Nothing runs that writes a log" />`}</div>`;
}
