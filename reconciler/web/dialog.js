// dialog: what is asked before something is done. SPDX-License-Identifier: Apache-2.0
//
// confirmed({title, lines, verb, reason, typed, because, fields, explain, act}) opens one: it names what is lost, asks for a reason and,
// where something goes for good, says so (`because`) and asks for the name to be typed. It closes when act(values) resolves; why it did not stands in it.
import { changed } from './store.js';
import { html, useEffect, useRef, useState } from './vendor/preact.js';

let open = null, count = 0;

export function confirmed(question) {
    open = { ...question, key: ++count, from: document.activeElement };
    changed();
}

function close() {
    const from = open?.from;
    open = null;
    changed();
    requestAnimationFrame(() => from?.isConnected && from.focus());
}

function Field({ field }) {
    const id = `field-${field.name}`;
    return html`<label for=${id}>${field.label}</label>${field.choices
        ? html`<select id=${id} name=${field.name} value=${field.value}>${field.choices.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select>`
        : html`<input id=${id} name=${field.name} type=${field.type ?? 'text'} required=${!field.isOptional} value=${field.value ?? ''} autocomplete="off" minlength=${field.minimum} />`}`;
}

function Asked({ asked }) {
    const ref = useRef(null), [fault, setFault] = useState(null), [busy, setBusy] = useState(false), [typed, setTyped] = useState('');
    useEffect(() => {
        ref.current.showModal();
        ref.current.querySelector('textarea, input, select, button[type=submit]')?.focus();
    }, []);
    async function submit(event) {
        event.preventDefault();
        setBusy(true);
        try {
            await asked.act(Object.fromEntries(new FormData(event.target)));
            close();
        } catch (problem) {
            setFault(asked.explain?.(problem) ?? html`<p>${problem.message}.</p>`);
            setBusy(false);
        }
    }
    const waits = busy || (asked.typed && typed !== asked.typed);
    return html`<dialog ref=${ref} aria-labelledby="asked" onCancel=${event => { event.preventDefault(); close(); }}>
        <form onSubmit=${submit}>
            <h2 id="asked">${asked.title}</h2>
            ${asked.lines?.map(line => html`<p>${line}</p>`)}
            ${asked.fields?.map(field => html`<${Field} field=${field} />`)}
            ${asked.reason !== 'none' && html`<label for="reason">Reason${asked.reason === 'optional' ? ' (optional)' : ''}; it stands in the history</label>
                <textarea id="reason" name="reason" rows="2" required=${asked.reason !== 'optional'}></textarea>`}
            ${asked.typed && html`<label for="typed">${asked.because}: type <code>${asked.typed}</code></label>
                <input id="typed" autocomplete="off" value=${typed} onInput=${event => setTyped(event.target.value)} />`}
            ${fault && html`<div class="notice failed" role="alert">${fault}</div>`}
            <div class="buttons">${!asked.isTold && html`<button type="button" onClick=${close}>Cancel</button>`}
                <button type="submit" class=${asked.isDanger ? 'danger' : 'primary'} disabled=${waits}>${busy ? '…' : asked.verb}</button></div>
        </form></dialog>`;
}

export function Dialog() {
    return open && html`<${Asked} key=${open.key} asked=${open} />`;
}

// What was said once, to be copied.
export function told(title, children) {
    confirmed({ title, lines: children, verb: 'Done', reason: 'none', isTold: true, act: async () => {} });
}
