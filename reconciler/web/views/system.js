// system: where things come from and who does them, with what went wrong last. SPDX-License-Identifier: Apache-2.0
import { Empty, State, Table, When, useAnswer, waitsFor } from '../parts.js';
import { refresh } from '../store.js';
import { clock, lengthOf } from '../time.js';
import { html } from '../vendor/preact.js';
import { plainly, plural, sentence, short } from '../words.js';

// How fetches and calls go is no event, and asked for again with any that there is; findings with those of no one environment.
const ofSystem = event => !event.environment;
const ofAnything = () => true;

const lookAgain = () => refresh(path => ['/sources', '/providers', '/doctor'].includes(path));

function Source({ source, live, at }) {
    const fault = live?.error || source.error, isRefused = source.heads.some(head => head.error);
    return html`<li class="card"><div class="bar"><h3>${source.name}</h3>${fault ? html`<${State} word="failed" />` : isRefused ? html`<${State} word="degraded" label="a commit is refused" />` : html`<span class="muted">OK</span>`}
            <code class="muted">${source.url}</code></div>
        ${fault && html`<div class="notice failed">${fault}${live?.failures ? ` (${plural(live.failures, 'time')} in a row)` : ''}</div>`}
        ${live && html`<p class="muted">${live.fetched_ms_ago < 0 ? 'Not fetched yet.' : html`Fetched <${When} ms=${at - live.fetched_ms_ago} />, ${plural(live.rounds, 'time')} since the daemon started.`}</p>`}
        <${Table} heads=${['branch', 'commit', 'seen', '']}>${source.heads.map(head => html`<tr><td>${head.branch}</td><td><code>${short(head.commit)}</code></td>
            <td><${When} ms=${head.seen_ms} /></td><td>${head.gone_ms ? html`gone since <${When} ms=${head.gone_ms} />` : ''}</td></tr>`)}<//>
        ${source.heads.map(head => head.error && html`<p class="failed">✕ ${head.branch}: ${head.error}</p>`)}
        ${live?.elsewhere?.map(one => html`<p class="notice degraded">${one.environment} stands on ${one.branch} too (<code>${one.place}</code>), which it is not bound to.</p>`)}</li>`;
}

function Provider({ provider, live }) {
    return html`<tr><td>${provider.name}</td><td>${provider.driver}</td><td>${!live ? html`<span class="muted">not used yet</span>`
            : live.open ? html`<${State} word="failed" label="does not answer" />, tried again ${live.again_ms > 0 ? `in ${lengthOf(live.again_ms)}` : 'with the next call'}`
            : live.failures ? html`<${State} word="degraded" label=${plural(live.failures, 'failure') + ' in a row'} />` : 'answers'}
            ${live?.error && html`<div class="because">last error: ${live.error}</div>`}</td>
        <td>${live && `${live.acting.toLocaleString('en')} of ${live.acting_max.toLocaleString('en')}`}</td></tr>`;
}

function Findings({ answer }) {
    return waitsFor(answer, 'Findings') ?? (answer.data.findings.length ? html`<ul class="plain">${answer.data.findings.map(one => html`<li class="notice degraded">${sentence(plainly(one.what))}<div><code>${one.mend}</code></div></li>`)}</ul>`
        : html`<p class="muted">Nothing that needs a person.</p>`);
}

export function System() {
    const sources = useAnswer('/sources', ofAnything), providers = useAnswer('/providers', ofAnything), doctor = useAnswer('/doctor', ofSystem);
    const live = sources.data?.live;
    return html`<div class="page"><div class="bar"><h1>System</h1>${sources.at && html`<span class="muted">as of ${clock(sources.at)}</span>`}<button type="button" onClick=${lookAgain}>Refresh</button></div>
        ${live?.stale && html`<div class="notice failed"><strong>The database is older than the world.</strong> ${live.stale}</div>`}
        <h2>Sources</h2>${waitsFor(sources, 'Sources') ?? (sources.data.sources.length ? html`
            <ul class="plain">${sources.data.sources.map(one => html`<${Source} key=${one.name} source=${one} live=${live?.sources?.[one.name]} at=${sources.at} />`)}</ul>`
            : html`<${Empty} title="No sources">The Daemon document names them under <code>sources</code>.<//>`)}
        <h2>Providers</h2>${waitsFor(providers, 'Providers') ?? html`
            <${Table} heads=${['name', 'driver', 'state', 'operations in flight']}>${providers.data.providers.map(one => html`<${Provider} key=${one.name} provider=${one} live=${providers.data.live?.providers?.[one.name]} />`)}<//>`}
        <h2>Findings</h2><${Findings} answer=${doctor} />
        ${['copies', 'heartbeat'].map(what => live?.[what]?.error && html`<div class="notice failed"><strong>${what}:</strong> ${live[what].error}</div>`)}</div>`;
}
