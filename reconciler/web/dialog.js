// dialog: what is asked before something is done. SPDX-License-Identifier: Apache-2.0
//
// confirmed({title, lines, verb, reason, typed, because, fields, explain, act}) opens one: it names what is lost, asks for a reason and,
// where something goes for good, says so (`because`) and asks for the name to be typed. It closes when act(values) resolves; why it did not stands in it.
//
// A reason that is being typed outlives the session: who signs in again in this tab, at the identity provider too, finds it.
// Fields have their first values as defaults: what is drawn again would set `value`, and take back what was chosen.
import { changed, store } from './store.js';
import { html, useEffect, useRef, useState } from './vendor/preact.js';
import { sentence } from './words.js';

const DRAFT = 'draft';
let open = null, count = 0;

export const hasDraft = () => sessionStorage.getItem(DRAFT) !== null;

const keep = (asked, text) => sessionStorage.setItem(DRAFT, JSON.stringify([asked.who, asked.title, text]));

function draftOf(asked) {
    const [who, title, text] = JSON.parse(sessionStorage.getItem(DRAFT)) ?? [];
    return who === asked.who && title === asked.title ? text : '';
}

export function confirmed(question) {
    open = { ...question, key: ++count, from: document.activeElement, who: store.me.actor };
    changed();
}

function close() {
    const from = open?.from;
    sessionStorage.removeItem(DRAFT);
    open = null;
    changed();
    requestAnimationFrame(() => from?.isConnected && from.focus());
}

function Field({ field }) {
    const id = `field-${field.name}`;
    return html`<label for=${id}>${field.label}</label>${field.choices
        ? html`<select id=${id} name=${field.name}>${field.choices.map(([value, text]) => html`<option value=${value} selected=${value === field.value}>${text}</option>`)}</select>`
        : html`<input id=${id} name=${field.name} type=${field.type ?? 'text'} required=${!field.isOptional} autocomplete="off" minlength=${field.minimum} />`}`;
}

function Asked({ asked }) {
    const ref = useRef(null), [fault, setFault] = useState(null), [busy, setBusy] = useState(false), [typed, setTyped] = useState(''), [draft] = useState(() => draftOf(asked));
    useEffect(() => {
        ref.current.showModal();
        ref.current.querySelector('textarea, input, select, button[type=submit]')?.focus();
    }, []);
    async function submit(event) {
        event.preventDefault();
        setBusy(true);
        try {
            await asked.act(Object.fromEntries(new FormData(event.target)));
            if (open?.key === asked.key)
                close();
        } catch (problem) {
            setFault(asked.explain?.(problem) ?? html`<p>${sentence(problem.message)}</p>`);
            setBusy(false);
        }
    }
    const waits = busy || (asked.typed && typed !== asked.typed);
    return html`<dialog ref=${ref} aria-labelledby="asked" onCancel=${event => { event.preventDefault(); close(); }}>
        <form onSubmit=${submit}>
            <h2 id="asked">${asked.title}</h2>
            ${asked.lines?.map(line => html`<p>${line}</p>`)}
            ${asked.fields?.map(field => html`<${Field} field=${field} />`)}
            ${asked.reason !== 'none' && html`<label for="reason">Reason${asked.reason === 'optional' ? ' (optional)' : ''}, kept in the history</label>
                <textarea id="reason" name="reason" rows="2" required=${asked.reason !== 'optional'} defaultValue=${draft} onInput=${event => keep(asked, event.target.value)}></textarea>`}
            ${asked.typed && html`<label for="typed">${asked.because}: type <code>${asked.typed}</code></label>
                <input id="typed" autocomplete="off" value=${typed} onInput=${event => setTyped(event.target.value)} />`}
            ${fault && html`<div class="notice failed" role="alert">${fault}</div>`}
            <div class="buttons">${!asked.isTold && html`<button type="button" onClick=${close}>Cancel</button>`}
                <button type="submit" class=${asked.isDanger ? 'danger' : 'primary'} disabled=${waits}>${busy ? '…' : asked.verb}</button></div>
        </form></dialog>`;
}

// Nobody is asked what another person was.
export function Dialog() {
    return open?.who === store.me.actor && html`<${Asked} key=${open.key} asked=${open} />`;
}

addEventListener('popstate', () => {
    open = null;
    changed();
});

// What was said once, to be copied.
export function told(title, children) {
    confirmed({ title, lines: children, verb: 'Done', reason: 'none', isTold: true, act: async () => {} });
}
