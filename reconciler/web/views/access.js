// access: who may what: oneself, and for admins people and tokens. SPDX-License-Identifier: Apache-2.0
import { makeToken, may, revokeToken, setPassword, signOutPerson } from '../acts.js';
import { told } from '../dialog.js';
import { Empty, Id, State, Table, When, useAnswer, waitsFor } from '../parts.js';
import { store } from '../store.js';
import { html } from '../vendor/preact.js';
import { actorOf } from '../words.js';

function Me({ me }) {
    return html`<dl class="facts"><dt>you</dt><dd><strong>${actorOf(me.actor)}</strong> <span class="muted">${me.kind}</span></dd>
        <dt>roles</dt><dd>${me.roles.join(', ') || 'none: ask an admin for one in auth.roles'}</dd>
        <dt>environments</dt><dd>${me.environments?.join(', ') ?? 'all'}</dd>${me.until_ms && html`<dt>session</dt><dd><span>ends <${When} ms=${me.until_ms} /> unless it is used</span></dd>`}</dl>`;
}

const showToken = made => told(`Token ${made.name}`, [html`This is shown once. Keep it where secrets are kept:`, html`<code class="secret">${made.token}</code>`]);

function Tokens() {
    const answer = useAnswer('/tokens', event => event.kind.startsWith('token.') || event.kind.startsWith('command.'));
    return html`<div class="bar below"><h2>Tokens</h2><button type="button" onClick=${() => makeToken(showToken)}>New token …</button></div>
        ${waitsFor(answer, 'Tokens') ?? (answer.data.tokens.length ? html`<${Table} heads=${['name', 'id', 'state', 'roles', 'environments', 'created', 'expires', 'last used', '']}>
            ${answer.data.tokens.map(one => html`<tr><td>${one.name}</td><td><${Id} id=${one.id} what="token id" /></td><td><${State} word=${one.state} /></td><td>${one.roles.join(', ')}</td><td>${one.environments?.join(', ') ?? 'all'}</td>
                <td><${When} ms=${one.created_ms} /> by ${actorOf(one.created_by)}</td><td>${one.expires_ms ? html`<${When} ms=${one.expires_ms} />` : 'never'}</td><td>${one.used_ms ? html`<${When} ms=${one.used_ms} />` : 'never'}</td>
                <td>${one.state === 'good' && html`<button type="button" onClick=${() => revokeToken(one)} title="revoke ${one.name}">Revoke …</button>`}</td></tr>`)}<//>`
        : html`<${Empty} title="No tokens">Programs sign in with a token, people by name.<//>`)}`;
}

function People() {
    const answer = useAnswer('/people', event => event.kind.startsWith('person.'));
    return html`<h2>People</h2>${waitsFor(answer, 'People') ?? (answer.data.people.length ? html`<${Table} heads=${['name', 'signs in by', 'sessions', '']}>
        ${answer.data.people.map(one => html`<tr><td>${one.name}</td><td>${one.oidc ? 'identity provider' : one.password_ms ? html`password, set <${When} ms=${one.password_ms} />` : 'no password is set yet'}
                ${one.locked_until_ms > Date.now() && html` <${State} word="held" label="locked out" /> until <${When} ms=${one.locked_until_ms} />`}</td><td>${one.sessions}</td>
            <td><div class="buttons">${!one.oidc && html`<button type="button" onClick=${() => setPassword(one)} title="set a password for ${one.name}">Password …</button>`}
                ${one.sessions > 0 && html`<button type="button" onClick=${() => signOutPerson(one)} title="sign ${one.name} out">Sign out …</button>`}</div></td></tr>`)}<//>`
        : html`<${Empty} title="No people">The Daemon document names people under <code>auth.people</code>.<//>`)}`;
}

export function Access() {
    return html`<div class="page"><h1>Access</h1><${Me} me=${store.me} />${may.administer() ? html`<${Tokens} /><${People} />`
        : html`<${Empty} title="Tokens and people are for admins">Above is what you may do yourself.<//>`}</div>`;
}
