// resource: one thing of an environment: desired beside observed, what was done to it, what it writes. SPDX-License-Identifier: Apache-2.0
import { part } from '../api.js';
import { Id, Path, State, Table, When, useAnswer, waitsFor } from '../parts.js';
import { withQuery } from '../route.js';
import { html } from '../vendor/preact.js';
import { flatten, plainly, plural } from '../words.js';
import { Events } from './events.js';
import { Logs } from './logs.js';

const TABS = [['', 'Desired and observed'], ['operations', 'Operations'], ['events', 'Events'], ['logs', 'Logs']];

function Facts({ title, rows, none }) {
    return html`<section class="side"><h3>${title}</h3>${rows.length ? html`<dl class="fields">${rows.map(([path, value]) => html`<dt><${Path} text=${path} /></dt><dd>${value}</dd>`)}</dl>`
        : html`<p class="muted">${none}</p>`}</section>`;
}

// A backend is some service's set; what is none of them says its own name.
function behind(env, backend) {
    for (const service of env.services) {
        const set = service.sets.find(one => one.backend === backend);
        if (set)
            return `${service.name} ${set.colour}`;
    }
    return backend;
}

function observedOf(env, name) {
    const service = name.startsWith('service/') && env.services.find(one => `service/${one.name}` === name);
    const seen = env.resources.find(one => one.name === name), rows = [];
    const add = (path, value) => value !== undefined && value !== '' && rows.push([path, value]);
    add('status', seen?.status && html`<${State} word=${seen.status} />`);
    add('reason', seen?.reason);
    add('provider', seen?.provider);
    add('id', seen?.provider_id);
    for (const [path, value] of flatten(seen?.outputs ?? {}))
        add(`outputs.${path}`, path && value);
    for (const set of service ? service.sets : []) {
        add(set.colour, html`<${State} word=${set.state} /> revision ${set.revision ?? '?'} since <${When} ms=${set.since_ms} />`);
        for (const one of set.instances)
            add(`${set.colour}.${one.ordinal}`, html`<${State} word=${one.state} /> ${one.address} ${one.restarts ? plural(one.restarts, 'restart') : ''} ${one.exit}`);
    }
    for (const route of env.routes.filter(one => name === `domain/${one.route.split(':')[0]}`))
        add(route.route.slice(route.route.indexOf(':') + 1), `${behind(env, route.backend)} ${route.weight / 100} %${route.canary ? `, ${behind(env, route.canary)} ${100 - route.weight / 100} %` : ''}`);
    return { rows, drift: seen?.drift };
}

function Compared({ env, name, resource }) {
    const seen = observedOf(env, name);
    return html`${seen.drift && html`<div class="notice degraded"><strong>Drifted.</strong> ${seen.drift}</div>`}
        <div class="sides"><${Facts} title="Desired" rows=${flatten(resource?.desired ?? {}).filter(([path]) => path && !path.startsWith('label.'))} none="Nothing." />
        <${Facts} title="Observed" rows=${seen.rows} none="Nothing." /></div>`;
}

function Operations({ env, name }) {
    const answer = useAnswer(`/environments/${part(env.name)}/explain?subject=${part(name)}`, event => event.environment === env.name);
    const waits = waitsFor(answer, 'its operations');
    return waits ?? html`${answer.data.because.map(text => html`<p title=${text}>${plainly(text)}</p>`)}
        ${answer.data.operations.length ? html`<${Table} heads=${['what', 'on', 'outcome', 'attempt', 'when']}>${answer.data.operations.map(one => html`<tr><td>${one.action}</td><td><code>${one.kind}/${one.name}</code></td>
            <td><${State} word=${one.outcome ?? one.phase.toLowerCase()} /> ${one.message}</td><td>${one.attempt}</td><td><${When} ms=${one.intent_ms} /></td></tr>`)}<//>`
        : html`<p class="muted">No operations are kept.</p>`}`;
}

export function Resource({ env, name, resource, tab }) {
    const service = name.startsWith('service/') ? name.slice(8) : '', tabs = TABS.filter(([key]) => key !== 'logs' || service);
    return html`<section class="resource" aria-label=${name}><div class="bar"><h2>${name}</h2>${resource?.digest && html`<${Id} id=${resource.digest} what="digest" />`}
            <nav class="tabs" aria-label="About ${name}">${tabs.map(([key, title]) => html`<a href=${withQuery({ tab: key, open: null })} data-key=${key === 'logs' ? 'l' : undefined} aria-current=${key === tab ? 'true' : undefined}>${title}</a>`)}</nav></div>
        ${tab === 'operations' ? html`<${Operations} env=${env} name=${name} />`
        : tab === 'events' ? html`<${Events} env=${env.name} resource=${name} />`
        : tab === 'logs' && service ? html`<${Logs} key=${name} env=${env} service=${service} />`
        : html`<${Compared} env=${env} name=${name} resource=${resource} />`}</section>`;
}
