// plans: those that have not ended, in every environment. SPDX-License-Identifier: Apache-2.0
import { Empty, Failed, Loading, State, When } from '../parts.js';
import { store } from '../store.js';
import { html } from '../vendor/preact.js';
import { plainly, short } from '../words.js';

export function Plans() {
    const rows = store.order.map(name => store.rows.get(name)).filter(row => row.plan)
        .sort((a, b) => (b.plan.state === 'waiting') - (a.plan.state === 'waiting') || (b.plan.made_ms ?? 0) - (a.plan.made_ms ?? 0));
    return html`<div class="page"><div class="bar"><h1>Plans</h1><span class="count">${rows.length.toLocaleString('en')} open</span></div>
        ${store.listFault && !store.listed ? html`<${Failed} problem=${store.listFault} what="Plans" />`
        : !store.listed ? html`<${Loading} what="plans" />`
        : !rows.length ? html`<${Empty} title="Nothing waits, nothing runs">Plans that ended are in the <a href="/history">history</a> and with their environments.<//>`
        : html`<ul class="rows">${rows.map(row => html`<li key=${row.name}><a class="row plan-row" data-row href="/plans/${row.plan.id}">
            <span class="name">${row.name}</span><code>${short(row.plan.id)}</code><span><${State} word=${row.plan.state} /></span>
            <span class="says" title=${row.plan.reason}>${plainly(row.plan.reason) || row.plan.cause}</span><span class="age"><${When} ms=${row.plan.made_ms} /></span></a></li>`)}</ul>`}</div>`;
}
