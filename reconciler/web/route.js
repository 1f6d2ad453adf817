// route: addresses of views. SPDX-License-Identifier: Apache-2.0
//
// Every view has its own address, which can be sent to a colleague; what is chosen in it stands in the query.
import { changedNow } from './store.js';

export function where() {
    const [, view = '', name = ''] = location.pathname.split('/');
    return { view: view || 'environments', name: decodeURIComponent(name), query: new URLSearchParams(location.search) };
}

export function go(address, options = {}) {
    history[options.replaces ? 'replaceState' : 'pushState'](null, '', address);
    changedNow();
    if (!options.replaces)
        document.querySelector('main')?.scrollTo(0, 0);
}

// With these in the query, and without those that are null.
export function withQuery(changes) {
    const query = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(changes))
        value === null || value === '' ? query.delete(key) : query.set(key, value);
    const text = query.toString();
    return location.pathname + (text && `?${text}`);
}

addEventListener('popstate', changedNow);

// A plain click on a link of ours stays in the page.
addEventListener('click', event => {
    const link = event.target.closest?.('a[href^="/"]');
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.origin !== location.origin ||
        link.pathname.startsWith('/api/'))
        return;
    event.preventDefault();
    go(link.getAttribute('href'));
});
