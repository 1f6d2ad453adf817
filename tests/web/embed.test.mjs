// embed: what of a script gets into the program. SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const WEB = fileURLToPath(new URL('../../reconciler/web/', import.meta.url)), EMBED = `${WEB}embed.sh`;

function inFolder(act) {
    const folder = mkdtempSync(join(tmpdir(), 'embed.'));
    try {
        return act(folder);
    } finally {
        rmSync(folder, { recursive: true });
    }
}

// The script as the program has it; `folder`: whose `file` it is.
function embedded(out, folder, file) {
    execFileSync('sh', [EMBED, folder, `${out}/page.c`, file]);
    return readFileSync(`${out}/page.c.d/0.raw`, 'utf8');
}

const shown = text => inFolder(folder => {
    writeFileSync(`${folder}/a.js`, text);
    return embedded(folder, folder, 'a.js');
});

// [what, the script's lines, which of them go]
const ROWS = [
    ['the first line says the licence', ['// a', '// b', 'c();'], [1]],
    ['what stands behind code stays', ['', 'c(); // d', '    // e'], [2]],
    ['a text that looks like one stays', ['', 'const a = `', '// b', '`;', '// c'], [4]],
    ['also within markup', ['', 'html`<p>', '    // b ${c}', '    // d</p>`;', '// e'], [4]],
    ['what is in a literal of a literal, too', ['', 'html`${a ? html`', '// b', '` : { c: `', '// d', '` }}', '// e`;', '// f'], [7]],
    ['in what is put into it a comment is one', ['', 'html`${a.map(b => {', '    // c', '    return `}`;', '})}', '// d', '`;'], [2]],
    ['a quoted tick begins nothing', ['', 'a("`", \'`\', "\\"`");', '// b', 'c(/`/, d / 2, /[/`]/g);', '// e'], [2, 4]],
    ['nor does an escaped one end it', ['', '`a\\`', '// b', '\\${`;', '// c'], [4]],
    ['a comment within a line is followed', ['', 'a(); /* ` */ b(); // `', '// c', '/* `', '// d */', '// e'], [2, 5]],
    ['a return is no value to divide', ['', 'return /`/;', '// a', 'x = (1) / 2; // `', '// b'], [2, 4]],
];

for (const [what, lines, gone] of ROWS)
    test(what, () => assert.deepEqual(shown(lines.join('\n') + '\n').split('\n').slice(0, -1), lines.map((line, i) => (gone.includes(i) ? '' : line))));

test('a script that is not understood is refused', () => inFolder(folder => {
    writeFileSync(`${folder}/a.js`, '\n// a\nb(`\n');
    const { status, stderr } = spawnSync('sh', [EMBED, folder, `${folder}/page.c`, 'a.js'], { encoding: 'utf8' });
    assert.notEqual(status, 0);
    assert.match(stderr, /a\.js: what begins in it does not end/);
}));

test('of each script of the page all but its comments is there, line for line', () => inFolder(folder => {
    for (const file of readdirSync(WEB, { recursive: true }).filter(name => name.endsWith('.js'))) {
        const source = readFileSync(WEB + file, 'utf8').split('\n'), is = embedded(folder, WEB.slice(0, -1), file).split('\n');
        assert.equal(is.length, source.length, file);
        source.forEach((line, i) => assert.ok(is[i] === line || (is[i] === '' && i > 0 && /^ *\/\//.test(line)), `${file}:${i + 1}: '${is[i]}'`));
    }
}));
