// time: instants and lengths as people say them. SPDX-License-Identifier: Apache-2.0
//
// Pure. A relative time always has the exact one, with its zone, beside it (parts.js).

const S = 1000, MIN = 60 * S, H = 60 * MIN, DAY = 24 * H, YEAR_SAID = 300 * DAY;

const exactFormat = new Intl.DateTimeFormat('en-GB', {
    year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
});
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' });
const yearFormat = new Intl.DateTimeFormat('en-GB', { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' });
const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' });

export const exact = ms => exactFormat.format(ms);
export const clock = ms => clockFormat.format(ms);
export const zone = ms => clockFormat.formatToParts(ms).find(part => part.type === 'timeZoneName').value;

// In its greatest unit, and the next where that one says little; what is cut off is never rounded up into 60 of a unit.
export function lengthOf(ms) {
    const abs = Math.abs(ms), [h, min] = [Math.floor(abs / H), Math.floor(abs % H / MIN)];
    if (abs < 10 * S)
        return `${(Math.floor(abs / 100) / 10).toFixed(1)} s`;
    if (abs < MIN)
        return `${Math.floor(abs / S)} s`;
    if (abs < H)
        return `${min} min`;
    if (abs < DAY)
        return min ? `${h} h ${min} min` : `${h} h`;
    return `${Math.floor(abs / DAY)} d`;
}

export function relative(ms, now) {
    const ago = now - ms;
    if (Math.abs(ago) < 5 * S)
        return 'now';
    if (Math.abs(ago) > 6 * DAY)
        return (Math.abs(ago) > YEAR_SAID ? yearFormat : dayFormat).format(ms);
    const text = lengthOf(ago).replace(/\.\d/, '').replace(/ \d+ min$/, match => (Math.abs(ago) < 3 * H || ago < 0 ? match : ''));
    return ago < 0 ? `in ${text}` : `${text} ago`;
}

// 00:41, of something that runs.
export function watchOf(ms) {
    const s = Math.max(0, Math.floor(ms / S)), two = n => String(n).padStart(2, '0');
    return s < 3600 ? `${two(Math.floor(s / 60))}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

// Of <input type=datetime-local>, in the reader's zone.
export function toInput(ms) {
    const at = new Date(ms - new Date(ms).getTimezoneOffset() * MIN);
    return at.toISOString().slice(0, 19);
}
