// keys: the page by keyboard. SPDX-License-Identifier: Apache-2.0
//
// j k move over what has data-row, g and a letter goes to a view, / finds; any other letter presses the button that has it
// as data-key. Nothing is heard while somebody types or is asked something.
import { go } from './route.js';

export const VIEWS = [['e', '/environments', 'Environments'], ['p', '/plans', 'Plans'], ['h', '/history', 'History'],
    ['s', '/system', 'System'], ['t', '/access', 'Access']];

export const HELP = [['j k', 'next and previous row'], ['enter', 'open'], ['/', 'find'],
    ...VIEWS.map(([key, , name]) => [`g ${key}`, name.toLowerCase()]), ['a', 'approve (asks)'], ['r', 'reject (asks)'],
    ['u', 'undo (asks)'], ['v', 'advance (asks)'], ['l', 'logs'], ['c', 'compare'], ['?', 'this help'], ['esc', 'close, or back to the list']];

let goes = false;

const isTyping = target => target.matches?.('input:not([type=range]), textarea, select, [contenteditable]');

function move(by) {
    const rows = [...document.querySelectorAll('[data-row]')];
    const at = rows.findIndex(row => row === document.activeElement || row.contains(document.activeElement));
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
    (next?.matches('a, button, [tabindex]') ? next : next?.querySelector('a, button'))?.focus();
}

function press(key) {
    const button = document.querySelector(`[data-key="${CSS.escape(key)}"]:not([disabled])`);
    if (button?.matches('input'))
        button.focus();
    else
        button?.click();
    return Boolean(button);
}

function follow(key) {
    const view = VIEWS.find(([letter]) => letter === key);
    if (view)
        go(view[1]);
    return Boolean(view);
}

addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]'))
        return;
    if (isTyping(event.target)) {
        if (event.key === 'Escape')
            event.target.blur();
        return;
    }
    const key = event.key, wasGoing = goes;
    goes = false;
    let done = true;
    if (wasGoing)
        done = follow(key);
    else if (key === 'g')
        goes = true;
    else if (key === 'j' || key === 'k')
        move(key === 'j' ? 1 : -1);
    else if (key.length === 1)
        done = press(key);
    else if (key === 'Escape')
        done = press('Escape');
    else
        done = false;
    if (done)
        event.preventDefault();
});
