// png: the pictures of the documentation have the colours of the page. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { chunk, paletteOfPicture, small, SIGNATURE } from './png.mjs';

const picture = (width, pixels) => {
    const height = pixels.length / 3 / width, head = Buffer.alloc(13), rows = Buffer.alloc((width * 3 + 1) * height);
    head.writeUInt32BE(width);
    head.writeUInt32BE(height, 4);
    head.set([8, 2, 0, 0, 0], 8);
    for (let y = 0; y < height; y++)
        Buffer.from(pixels.slice(y * width * 3, (y + 1) * width * 3)).copy(rows, y * (width * 3 + 1) + 1);
    return Buffer.concat([SIGNATURE, chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
};

// The edges of letters have many shades of grey, each more often than a small word has its red.
test('a colour that is rare and like no other is one of those that are kept', () => {
    const greys = Array.from({ length: 64 * 94 - 1 }, (_, i) => [i % 250, (i + i % 3) % 250, i % 250]), red = [0xb3, 0x26, 0x1e];
    const colours = paletteOfPicture(small(picture(64, [...greys, red].flat())));
    assert.ok(colours.length <= 256);
    assert.ok(colours.some(one => one.join() === red.join()), 'red is red');
});
