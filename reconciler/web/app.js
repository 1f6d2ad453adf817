// app: the frame around the views. SPDX-License-Identifier: Apache-2.0
//
// Views are a table: a name of an address, what it is called, what draws it. One more is one more row, and its address in
// the daemon's table of routes.
import { Dialog, told } from './dialog.js';
import { HELP, VIEWS } from './keys.js';
import { Failed, Loading } from './parts.js';
import { where } from './route.js';
import { enter, freshen, notFresh, onChange, reconnect, signOut, store } from './store.js';
import { clock } from './time.js';
import { html, render } from './vendor/preact.js';
import { actorOf, sentence, short, stateOf } from './words.js';
import { Access } from './views/access.js';
import { Environment } from './views/environment.js';
import { Environments } from './views/environments.js';
import { History } from './views/history.js';
import { Plan } from './views/plan.js';
import { Plans } from './views/plans.js';
import { SignIn } from './views/sign_in.js';
import { System } from './views/system.js';

const views = {
    environments: { title: 'Environments', all: Environments, one: Environment },
    plans: { title: 'Plans', all: Plans, one: Plan },
    history: { title: 'History', all: History },
    system: { title: 'System', all: System },
    access: { title: 'Access', all: Access },
};

const standsAt = ({ view, name }) => (view === 'sign-in' ? !name : Object.hasOwn(views, view) && Boolean(views[view][name ? 'one' : 'all']));

// Whoever goes where nothing is need not say who they are for it.
function Nowhere() {
    return html`<h1>Not found</h1><p>There is nothing at <code>${location.pathname}</code>. A part of the address may be missing.</p>
        <p><a class="button primary" href="/environments">All environments</a></p>`;
}

// --- light and dark ---------------------------------------------------------------------------------

const THEMES = ['auto', 'light', 'dark'];

function theme() {
    return THEMES.includes(localStorage.getItem('theme')) ? localStorage.getItem('theme') : 'auto';
}

function setTheme(name) {
    localStorage.setItem('theme', name);
    document.documentElement.dataset.theme = name;
}

function ThemeSwitch() {
    const now = theme(), next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
    return html`<button type="button" class="quiet" title="colours: ${now}; press for ${next}" aria-label="Colours: ${now}"
        onClick=${() => { setTheme(next); draw(); }}>${{ auto: '◐', light: '☀', dark: '☾' }[now]}</button>`;
}

// --- the frame --------------------------------------------------------------------------------------

function help() {
    told('Keys', [html`<dl class="keys">${HELP.map(([key, text]) => html`<dt><kbd>${key}</kbd></dt><dd>${text}</dd>`)}</dl>`]);
}

// How many are in which state; none of a state, no word of it.
function Summary() {
    const counts = new Map();
    for (const row of store.rows.values())
        counts.set(row.sync, (counts.get(row.sync) ?? 0) + 1);
    return html`<ul class="summary" aria-label="Environments by state">${['in_sync', 'converging', 'waiting', 'parked', 'held', 'frozen', 'failed', 'reverted']
        .filter(sync => counts.get(sync)).map(sync => html`<li><a class="state ${stateOf(sync).tone}" href="/environments?find=${encodeURIComponent(`is:${sync}`)}"
            >${stateOf(sync).shape && html`<span class="shape" aria-hidden="true">${stateOf(sync).shape}</span>`}<b>${counts.get(sync).toLocaleString('en')}</b> ${stateOf(sync).text}</a></li>`)}</ul>`;
}

function Header({ view }) {
    return html`<header>
        <a class="brand" href="/environments">Reeve</a>
        <nav aria-label="Views">${VIEWS.map(([key, address, title]) => html`<a href=${address} title="g ${key}"
            aria-current=${address === `/${view}` ? 'page' : undefined}>${title}</a>`)}</nav>
        <${Summary} />
        <div class="you"><span title=${store.me.roles.join(', ') || 'no role'}>${actorOf(store.me.actor)}</span>
            <button type="button" class="quiet" data-key="?" onClick=${help} aria-label="Keys" title="keys (?)">?</button><${ThemeSwitch} />
            <button type="button" class="quiet" onClick=${() => signOut().catch(problem => told('Still signed in', [sentence(problem.message)]))}>Sign out</button></div>
    </header>`;
}

function Stale() {
    const fault = !store.lostSince && notFresh();
    if (!store.lostSince && !fault)
        return null;
    return html`<div class="stale" role="alert"><span class="shape" aria-hidden="true">▲</span> ${fault ? `Not all of this is up to date. ${sentence(fault.message)}`
        : `Not live since ${clock(store.lostSince)}: what is shown may be out of date. Trying again.`} <button type="button" onClick=${fault ? freshen : reconnect}>Try now</button></div>`;
}

// What a tab and a bookmark are called, and what is heard on the way there.
function titleOf(place) {
    const { view, name, query } = place;
    if (!standsAt(place))
        return 'Not found';
    if (view === 'plans' && name)
        return `Plan ${short(name)}`;
    return [name ? query.get('at') : views[view].title, name || query.get('env')].filter(Boolean).join(' of ');
}

function Body({ place }) {
    const { view, name, query } = place, row = views[view];
    return !standsAt(place) ? html`<div class="page"><${Nowhere} /></div>`
        : name ? html`<${row.one} key=${name} name=${name} query=${query} />` : html`<${row.all} query=${query} />`;
}

function App() {
    if (store.me && location.pathname === '/sign-in')
        history.replaceState(null, '', '/environments');
    const place = where();
    document.title = store.me || !standsAt(place) ? `${titleOf(place)} · Reeve` : 'Reeve';
    if (store.fault)
        return html`<main class="alone"><${Failed} problem=${store.fault} what="The page" /><button type="button" onClick=${enter}>Try again</button></main>`;
    if (store.me === undefined)
        return html`<main class="alone"><${Loading} what="" /></main>`;
    if (!store.me)
        return standsAt(place) ? html`<${SignIn} />` : html`<main class="alone"><${Nowhere} /></main>`;
    return html`<${Header} view=${place.view} /><${Stale} /><main tabindex="-1" aria-label=${titleOf(place)}><${Body} place=${place} /></main><${Dialog} />`;
}

let isBegun = false;

// Whoever works by keyboard goes on in the view, when what had the focus is gone.
function draw() {
    const had = document.activeElement;
    render(html`<${App} />`, document.body);
    const main = document.querySelector('main[tabindex]');
    if (main && document.activeElement === document.body && (had !== document.body || !isBegun))
        main.focus({ preventScroll: true });
    isBegun ||= Boolean(main);
}

setTheme(theme());
onChange(draw);
enter();
