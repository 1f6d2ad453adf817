// sign_in: people say who they are, by password or at their identity provider. SPDX-License-Identifier: Apache-2.0
import { ask, part } from '../api.js';
import { hasDraft } from '../dialog.js';
import { signIn, store } from '../store.js';
import { lengthOf } from '../time.js';
import { html, useEffect, useState } from '../vendor/preact.js';
import { sentence } from '../words.js';

function said(problem) {
    const wait = problem.body?.wait_ms;
    if (wait)
        return `Too many failed attempts from here. Try again in ${lengthOf(wait)}.`;
    return problem.status === 401 ? 'Wrong name or password.' : sentence(problem.message);
}

export function SignIn() {
    const [ways, setWays] = useState(null), [fault, setFault] = useState(''), [busy, setBusy] = useState(false);
    useEffect(() => {
        ask('/sign-in').then(setWays, problem => setFault(said(problem)));
    }, []);
    async function submit(event) {
        event.preventDefault();
        const form = event.target;
        setBusy(true);
        setFault('');
        try {
            await signIn(form.name.value, form.password.value);
        } catch (problem) {
            setFault(said(problem));
            setBusy(false);
            form.password.value = '';
            form.password.focus();
        }
    }
    const back = part(location.pathname.startsWith('/sign-in') ? '/' : location.pathname + location.search);
    return html`<main class="alone"><h1>Reeve</h1>
        ${store.isOver && html`<p class="notice waiting" role="status"><strong>◆ Your session has ended.</strong> Sign in to go on where you were${hasDraft() ? ', with what you were typing' : ''}.</p>`}
        ${ways?.password && html`<form class="sign-in" onSubmit=${submit}>
            <label for="name">Name</label><input id="name" name="name" autocomplete="username" autocapitalize="none" required autofocus />
            <label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required />
            <button type="submit" class="primary" disabled=${busy}>${busy ? 'Signing in …' : 'Sign in'}</button></form>`}
        ${ways?.oidc && html`<a class="button ${ways.password ? '' : 'primary'}" href="/api/v1/oidc/start?return=${back}">Sign in with the identity provider</a>`}
        ${ways && !ways.password && !ways.oidc && html`<p>Nobody can sign in here: the Daemon document has neither <code>auth.people</code> nor <code>auth.oidc</code>.</p>`}
        ${fault && html`<div class="notice failed" role="alert">${fault}</div>`}</main>`;
}
