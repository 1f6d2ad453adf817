// png: a picture of a page in few bytes. SPDX-License-Identifier: Apache-2.0
//
// Pure. small(bytes): a PNG of 8 bits a channel becomes one of 256 colours: the commonest of those that are unlike each other,
// and for others the nearest.
import { deflateSync, inflateSync } from 'node:zlib';

export const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

const ALIKE = 200; // squares of what three channels differ by

const table = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++)
        n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
});

const crc = bytes => ~bytes.reduce((sum, byte) => table[(sum ^ byte) & 255] ^ (sum >>> 8), -1) >>> 0;

function* chunksOf(bytes) {
    for (let at = 8; at < bytes.length;) {
        const n = bytes.readUInt32BE(at);
        yield [bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + 8 + n)];
        at += n + 12;
    }
}

export function chunk(type, data) {
    const out = Buffer.alloc(data.length + 12);
    out.writeUInt32BE(data.length);
    out.write(type, 4, 'latin1');
    data.copy(out, 8);
    out.writeUInt32BE(crc(out.subarray(4, 8 + data.length)), 8 + data.length);
    return out;
}

function paeth(a, b, c) {
    const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

// Rows of pixels, without their filters.
function pixelsOf(raw, width, height, n) {
    const stride = width * n, out = Buffer.alloc(stride * height);
    for (let y = 0, at = 0; y < height; y++) {
        const filter = raw[at++];
        for (let x = 0; x < stride; x++, at++) {
            const i = y * stride + x, a = x >= n ? out[i - n] : 0, b = y ? out[i - stride] : 0, c = x >= n && y ? out[i - stride - n] : 0;
            out[i] = raw[at] + [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter];
        }
    }
    return out;
}

const parts = colour => [colour >> 16, (colour >> 8) & 255, colour & 255];

function distance(one, other) {
    const [r, g, b] = parts(one), [R, G, B] = parts(other);
    return (r - R) ** 2 + (g - G) ** 2 + (b - B) ** 2;
}

// A word in red has few pixels, and the edges of letters many greys: what is like a commoner one comes last.
function paletteOf(pixels, n) {
    const counts = new Map(), unlike = [], like = [];
    for (let i = 0; i < pixels.length; i += n) {
        const colour = pixels.readUIntBE(i, 3);
        counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    for (const [colour] of [...counts].sort((a, b) => b[1] - a[1]))
        (unlike.some(other => distance(colour, other) < ALIKE) ? like : unlike).push(colour);
    return { counts, colours: [...unlike, ...like].slice(0, 256) };
}

function nearest(colour, colours) {
    let best = 0, least = Infinity;
    colours.forEach((other, i) => {
        const far = distance(colour, other);
        if (far < least)
            [best, least] = [i, far];
    });
    return best;
}

export function small(bytes) {
    const all = [...chunksOf(bytes)], head = all[0][1], width = head.readUInt32BE(0), height = head.readUInt32BE(4), n = head[9] === 6 ? 4 : 3;
    const raw = inflateSync(Buffer.concat(all.filter(([type]) => type === 'IDAT').map(one => one[1])));
    const pixels = pixelsOf(raw, width, height, n), { counts, colours } = paletteOf(pixels, n);
    const index = new Map([...counts.keys()].map(colour => [colour, nearest(colour, colours)]));
    const rows = Buffer.alloc((width + 1) * height);
    for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
            rows[y * (width + 1) + 1 + x] = index.get(pixels.readUIntBE((y * width + x) * n, 3));
    const header = Buffer.from(head);
    header[8] = 8;
    header[9] = 3;
    return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('PLTE', Buffer.from(colours.flatMap(parts))), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

// [red, green, blue] of each colour of such a picture.
export function paletteOfPicture(bytes) {
    const [, all] = [...chunksOf(bytes)].find(([type]) => type === 'PLTE');
    return Array.from({ length: all.length / 3 }, (_, i) => [...all.subarray(i * 3, i * 3 + 3)]);
}
