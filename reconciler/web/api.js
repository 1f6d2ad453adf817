// api: what is asked of the daemon, and how it refuses. SPDX-License-Identifier: Apache-2.0
//
// ask() resolves with the answer, or throws a Problem: RFC 9457 as the daemon says it, or `UNREACHABLE`. A GET that came
// too often waits as long as it is told and is asked again. What changes something shows the session's token; where another
// tab has signed in meanwhile, that session's.

const TRIES = 3, WAIT_MAX_S = 15;
let csrf = '';
let nobody = () => {}, renewed = async () => false;

export class Problem extends Error {
    constructor(status, body) {
        super(body.detail || body.title || `the daemon answered ${status}`);
        this.status = status;
        this.code = body.code ?? '';
        this.body = body;
    }
}

// `told`: called when the session is over; `asked`: when a token is not the session's. Resolves with whether it is now.
export function onSession(told, asked) {
    nobody = told;
    renewed = asked;
}

export function setCsrf(token) {
    csrf = token ?? '';
}

async function send(path, body) {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf };
    try {
        return await fetch('/api/v1' + path, {
            method: body === undefined ? 'GET' : 'POST', headers, credentials: 'same-origin',
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch {
        throw new Problem(0, { detail: 'the daemon cannot be reached', code: 'UNREACHABLE' });
    }
}

const later = s => new Promise(resolve => setTimeout(resolve, Math.min(s, WAIT_MAX_S) * 1000));

export async function ask(path, body) {
    for (let i = 1; ; i++) {
        const answer = await send(path, body);
        const said = await answer.json().catch(() => ({}));
        if (answer.ok)
            return said;
        if (answer.status === 429 && body === undefined && i < TRIES) {
            await later(Number(answer.headers.get('Retry-After')) || 1);
            continue;
        }
        if (answer.status === 401 && path !== '/sign-in')
            nobody();
        if (answer.status === 403 && body !== undefined && i === 1 && await renewed())
            continue;
        throw new Problem(answer.status, said);
    }
}

export const part = text => encodeURIComponent(text);
