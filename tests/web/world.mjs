// world: a daemon to look at, driven by world.sh. SPDX-License-Identifier: Apache-2.0
//
// givenWorld(kind, ..) resolves when it serves; `tell(command, ..words)` when the command is done. `waits()`: the plan that waits
// in prod for the newest commit, its id. end() ends all of it.
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('world.sh', import.meta.url)), SAID_MAX = 8000, SHOWN_MS = 30000;
const worlds = new Set();

// What a person would look at, of each world: for who finds that something is not as it should be.
export async function showWorlds() {
    return (await Promise.all([...worlds].map(world => world.show()))).join('\n');
}

export async function givenWorld(...words) {
    const child = spawn('bash', [SCRIPT, ...words], { stdio: ['pipe', 'pipe', process.env.WEB_LOUD ? 'inherit' : 'pipe'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const over = new Promise(resolve => child.on('exit', resolve));
    let said = '';

    child.stdin.on('error', () => {}); // it ended: answer() says so
    child.stderr?.on('data', text => (said = (said + text).slice(-SAID_MAX)));
    async function answer(wanted) {
        const { value, done } = await lines.next();

        if (done || !value.startsWith(wanted))
            throw new Error(`the world said '${value ?? 'nothing'}', not '${wanted}':\n${said}`);
        return value.split(' ');
    }
    const [, url, folder] = await answer('ready'), provider = `http://127.0.0.1:${Number(new URL(url).port) + 1}`;

    const world = {
        url, folder, provider,
        async tell(...command) {
            child.stdin.write(command.join('\x1f') + '\n');
            await answer('done');
        },
        async waits() {
            child.stdin.write('waits\n');
            return (await answer('done'))[1];
        },
        async show() {
            await Promise.race([world.tell('show').catch(() => over), new Promise(resolve => setTimeout(resolve, SHOWN_MS).unref())]);
            const ended = child.exitCode ?? child.signalCode;
            return `--- the world ${ended === null ? 'is there' : `ended (${ended})`} and said:\n${said}`;
        },
        async end() {
            worlds.delete(world);
            child.stdin.end();
            await over;
        },
    };
    worlds.add(world);
    return world;
}

// A way to the daemon that can be cut: what goes through ends at once, and nobody gets through until mend().
export function givenWay(world) {
    const port = Number(new URL(world.url).port), open = new Set();
    let isCut = false;
    const server = createServer(socket => {
        const onward = isCut ? null : connect(port, 'localhost');
        if (!onward) {
            socket.destroy();
            return;
        }
        for (const [one, other] of [[socket, onward], [onward, socket]]) {
            open.add(one);
            one.on('error', () => other.destroy());
            one.on('close', () => {
                open.delete(one);
                other.destroy();
            });
            one.pipe(other);
        }
    });

    return new Promise(resolve => server.listen(0, 'localhost', () => resolve({
        url: `http://localhost:${server.address().port}`,
        cut() {
            isCut = true;
            open.forEach(socket => socket.destroy());
        },
        mend() {
            isCut = false;
        },
        end() {
            this.cut();
            server.close();
        },
    })));
}
