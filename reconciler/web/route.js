// route: addresses of views. SPDX-License-Identifier: Apache-2.0
//
// Every view has its own address, which can be sent to a colleague; what is chosen in it stands in the query.
import { changedNow } from './store.js';

// Where nothing stands, as the daemon says too, there is no view.
export function where() {
    const [, view = null, name = ''] = /^\/([^/]*)(?:\/([^/]+))?$/.exec(location.pathname) ?? [];
    const query = new URLSearchParams(location.search);
    try {
        return { view: view === '' ? 'environments' : view, name: decodeURIComponent(name), query };
    } catch {
        return { view: null, name: '', query };
    }
}

const SCROLLED = 'main, .window';

// Another view is begun at its top, by who sees it and by who hears it; the one before is come back to where it was left.
function arrive(tops = []) {
    changedNow();
    document.querySelector('main')?.focus({ preventScroll: true });
    document.querySelectorAll(SCROLLED).forEach((one, i) => (one.scrollTop = tops[i] ?? 0));
}

// `replaces`: no step that is gone back from; `stays`: the same view with something else chosen.
export function go(address, { replaces = false, stays = replaces } = {}) {
    if (!replaces)
        history.replaceState([...document.querySelectorAll(SCROLLED)].map(one => one.scrollTop), '');
    history[replaces ? 'replaceState' : 'pushState'](null, '', address);
    stays ? changedNow() : arrive();
}

// With these in the query, and without those that are null.
export function withQuery(changes) {
    const query = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(changes))
        value === null || value === '' ? query.delete(key) : query.set(key, value);
    const text = query.toString();
    return location.pathname + (text && `?${text}`);
}

addEventListener('popstate', event => arrive(event.state ?? []));

// A plain click on a link of ours stays in the page.
addEventListener('click', event => {
    const link = event.target.closest?.('a[href^="/"]');
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.origin !== location.origin ||
        link.pathname.startsWith('/api/'))
        return;
    event.preventDefault();
    go(link.getAttribute('href'), { stays: link.pathname === location.pathname && !link.closest('.pages') });
});
