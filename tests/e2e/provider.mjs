// provider: an OpenID Connect provider for oidc.sh. SPDX-License-Identifier: Apache-2.0
//
//     node provider.mjs real PORT CALLBACK DIRECTORY MODULES   that of npm; DIRECTORY/groups.json says who is in which group;
//                                                             with DIRECTORY/conform its userinfo says so, and not its ID token
//     node provider.mjs evil PORT CALLBACK DIRECTORY           says what it is told to: by DIRECTORY/document, and by the code
//
// The evil one's code is HOW.NONCE.CHALLENGE; whoever asks with it gets a token that is wrong in that way.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';

const [, , kind, port, callback, directory, modules] = process.argv;
const issuer = `http://127.0.0.1:${port}`;
const secret = fs.readFileSync(`${directory}/oidc`, 'utf8').trim();

async function real() {
    const { default: Provider } = await import(`${modules}/oidc-provider/lib/index.js`);
    const provider = new Provider(issuer, {
        clients: [{ client_id: 'reeve', client_secret: secret, redirect_uris: [callback] }],
        claims: { openid: ['sub'], groups: ['groups'] },
        scopes: ['openid', 'profile', 'groups'],
        conformIdTokenClaims: fs.existsSync(`${directory}/conform`),
        pkce: { required: () => true, methods: ['S256'] },
        cookies: { keys: ['of a test'] },
        findAccount: (ctx, id) => ({
            accountId: id,
            claims: () => ({ sub: id, groups: JSON.parse(fs.readFileSync(`${directory}/groups.json`))[id] ?? [] }),
        }),
    });
    provider.listen(port, '127.0.0.1');
}

function key() {
    return crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
}

const ours = kept(), next = key(), others = key();

// The one that it also has when it is started again.
function kept() {
    const path = `${directory}/key.pem`;
    let pair;

    if (!fs.existsSync(path))
        fs.writeFileSync(path, key().privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    pair = crypto.createPrivateKey(fs.readFileSync(path));
    return { privateKey: pair, publicKey: crypto.createPublicKey(pair) };
}

const rotated = { is: false };

function jwk(pair, kid) {
    return { ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
}

function token(how, nonce) {
    const now = Math.floor(Date.now() / 1000);
    const header = { alg: 'RS256', kid: 'ours' };
    const claims = { iss: issuer, aud: 'reeve', sub: '4711', nonce, iat: now, exp: now + 300, groups: ['ops', 7, 'ops', 'a b'] };
    let signer = ours.privateKey, made;

    switch (how) {
    case 'ask': case 'ask-other': case 'ask-nobody': case 'ask-page': case 'ask-broken': delete claims.groups; break;
    case 'nonce': claims.nonce = 'another'; break;
    case 'expired': claims.exp = now - 120; break;
    case 'audience': claims.aud = 'another'; break;
    case 'party': claims.aud = ['reeve', 'another']; break;
    case 'issuer': claims.iss = 'https://login.test'; break;
    case 'subject': claims.sub = '../\n'; break;
    case 'key': signer = others.privateKey; break;
    case 'rotated': header.kid = 'next'; signer = next.privateKey; rotated.is = true; break;
    case 'none': header.alg = 'none'; break;
    case 'hmac': header.alg = 'HS256'; break;
    }
    made = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    if (how === 'none')
        return `${made}.`;
    if (how === 'hmac')
        return `${made}.${crypto.createHmac('sha256', ours.publicKey.export({ type: 'spki', format: 'pem' })).update(made).digest('base64url')}`;
    return `${made}.${crypto.sign('sha256', Buffer.from(made), signer).toString('base64url')}`;
}

function json(answer, status, body) {
    answer.writeHead(status, { 'Content-Type': 'application/json' });
    answer.end(JSON.stringify(body));
}

function exchange(request, answer, form) {
    const [how, nonce, challenge] = (form.get('code') ?? '').split('.');
    const asked = Buffer.from((request.headers.authorization ?? '').slice(6), 'base64').toString();
    const proof = crypto.createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');

    if (asked !== `reeve:${encodeURIComponent(secret)}`)
        return json(answer, 401, { error: 'invalid_client' });
    if (form.get('grant_type') !== 'authorization_code' || form.get('redirect_uri') !== callback || proof !== challenge || how === 'spent')
        return json(answer, 400, { error: 'invalid_grant', error_description: secret });
    if (how === 'broken')
        return json(answer, 500, {});
    if (how === 'silent') {
        fs.appendFileSync(`${directory}/silent`, 'asked\n');
        return undefined;
    }
    if (how === 'page')
        return answer.end('<html>');
    if (how === 'away') {
        answer.writeHead(307, { Location: `${issuer}/elsewhere` });
        return answer.end();
    }
    if (how === 'endless') {
        const pour = () => { while (answer.write('x'.repeat(65536))); };
        answer.on('drain', pour);
        return pour();
    }
    return json(answer, 200, { token_type: 'Bearer', access_token: how, ...(how === 'empty' ? {} : { id_token: token(how, nonce) }) });
}

// What it says of whom it gave that token.
function userinfo(request, answer) {
    switch ((request.headers.authorization ?? '').replace('Bearer ', '')) {
    case 'ask': return json(answer, 200, { sub: '4711', groups: 'admins' });
    case 'ask-other': return json(answer, 200, { sub: '4712', groups: 'admins' });
    case 'ask-nobody': return json(answer, 200, { groups: 'admins' });
    case 'ask-page': return answer.end('<html>');
    default: return json(answer, 401, {});
    }
}

function evil(request, answer) {
    let body = '';

    if (request.url === '/.well-known/openid-configuration')
        return json(answer, 200, {
            issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys`,
            ...JSON.parse(fs.readFileSync(`${directory}/document`)),
        });
    if (request.url === '/keys')
        return json(answer, 200, { keys: [jwk(ours, 'ours'), ...(rotated.is ? [jwk(next, 'next')] : [])] });
    fs.appendFileSync(`${directory}/asked`, `${request.url}\n`);
    if (request.url === '/userinfo')
        return userinfo(request, answer);
    request.on('data', (part) => { body += part; });
    return request.on('end', () => exchange(request, answer, new URLSearchParams(body)));
}

if (kind === 'real')
    await real();
else
    http.createServer(evil).listen(port, '127.0.0.1');
