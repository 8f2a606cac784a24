/** Our own keys: what they sign, who accepts it, and how they change. */
import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, exportJWK, type JSONWebKeySet, jwtVerify, SignJWT } from 'jose';
import { test } from 'tap';
import { isSigned, type PublicJwk, readJwt } from '../../../src/auth/keys/jws.ts';
import { createSigningKeys } from '../../../src/auth/keys/signing-keys.ts';
import type { Store } from '../../../src/store/store.ts';
import { openTemporaryStore } from '../../store/sqlite/temporary-store.ts';
import { newKey } from '../test-auth-server.ts';

const DAY = 86_400_000;

const keysOn = ({ records }: Store, clock = { now: 1_900_000_000_000 }, key = Buffer.alloc(32, 1)) =>
  createSigningKeys({ records, key, days: 90, now: () => clock.now });

test('jose verifies what we sign, and we verify what jose signs with each algorithm', async (t) => {
  const keys = keysOn(await openTemporaryStore(t));
  const set = createLocalJWKSet((await keys.jwks()) as JSONWebKeySet);
  const { payload, protectedHeader } = await jwtVerify(await keys.sign({ sub: 'ü' }), set, { algorithms: ['RS256'] });
  t.equal(payload.sub, 'ü');
  t.match(protectedHeader, { alg: 'RS256', typ: 'JWT', kid: String });
  for (const alg of ['RS256', 'RS384', 'ES256', 'ES384'] as const) {
    const { privateKey, publicJwk } = await newKey(alg);
    const text = await new SignJWT({ sub: 'x' }).setProtectedHeader({ alg, kid: publicJwk.kid ?? '' }).sign(privateKey);
    const jwt = readJwt(text, ['RS256', 'RS384', 'ES256', 'ES384']);
    if (typeof jwt === 'string') throw new Error(jwt);
    t.ok(await isSigned(jwt, [publicJwk as PublicJwk]), alg);
    const { alg: _, ...withoutAlg } = publicJwk;
    t.ok(await isSigned(jwt, [withoutAlg as PublicJwk]), `${alg} with a key that does not say its algorithm`);
    const other = await newKey(alg, publicJwk.kid);
    t.notOk(await isSigned(jwt, [other.publicJwk as PublicJwk]), `${alg} with another key`);
    t.notOk(await isSigned(jwt, [other.publicJwk, publicJwk] as PublicJwk[]), 'REQ-S 338: two keys with one kid');
    const changed = {
      ...jwt,
      text: text.replace(/\.[^.]+\./, `.${Buffer.from('{"sub":"y"}').toString('base64url')}.`),
    };
    t.notOk(await isSigned(changed, [publicJwk as PublicJwk]), `${alg} with other claims`);
    t.notOk(
      await isSigned(jwt, [{ ...publicJwk, use: 'enc' }] as PublicJwk[]),
      'a key for encryption verifies nothing',
    );
  }
});

test('A token does not choose how it is verified', async (t) => {
  const keys = keysOn(await openTemporaryStore(t));
  const text = await keys.sign({ sub: 'ada' });
  const { kid } = decodeProtectedHeader(text);
  const [publicKey] = (await keys.jwks()).keys;
  const pem = createPublicKey({ key: publicKey as JsonWebKey, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = part({ sub: 'eve' });
  const hmac = (header: object, secret: string | Buffer): string => {
    const input = `${part(header)}.${claims}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const own = await newKey('RS256', kid);
  const forged = (header: object): Promise<string> =>
    new SignJWT({ sub: 'eve' }).setProtectedHeader({ alg: 'RS256', kid: kid ?? '', ...header }).sign(own.privateKey);
  const attacks: Record<string, string> = {
    'alg none': `${part({ alg: 'none', kid })}.${claims}.`,
    'alg none with a signature': `${part({ alg: 'none', kid })}.${claims}.${text.split('.')[2]}`,
    'alg None': `${part({ alg: 'None', kid })}.${claims}.AA`,
    'HS256 with the PEM of the public key': hmac({ alg: 'HS256', kid }, String(pem)),
    'HS256 with the modulus': hmac(
      { alg: 'HS256', kid },
      Buffer.from(String((publicKey as JsonWebKey).n), 'base64url'),
    ),
    'RS256 in the header and HMAC as signature': hmac({ alg: 'RS256', kid }, String(pem)),
    'another key with our kid': await forged({}),
    'a jwk in the header': await forged({
      jwk: await exportJWK(own.publicJwk ? createPublicKey(own.privateKey) : own.privateKey),
    }),
    'a jku in the header': await forged({ jku: 'https://evil.example/jwks' }),
    'a kid with a path': await forged({ kid: '../../../../dev/null' }),
    'a kid with SQL': await forged({ kid: "' OR '1'='1" }),
    crit: await forged({}).then(
      (jwt) => `${part({ alg: 'RS256', kid, crit: ['exp'] })}.${jwt.split('.').slice(1).join('.')}`,
    ),
    'ES256 with a key of its own': await (async () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return new SignJWT({ sub: 'eve' }).setProtectedHeader({ alg: 'ES256', kid: kid ?? '' }).sign(privateKey);
    })(),
    'the claims of another token': text.replace(/\.[^.]+\./, `.${claims}.`),
    'no signature': text.replace(/[^.]+$/, ''),
    padding: `${text}=`,
    nothing: '',
  };
  for (const [name, attack] of Object.entries(attacks)) t.equal(await keys.verify(attack), undefined, name);
  t.match(await keys.verify(text), { sub: 'ada' });
});

test('The keys are encrypted at rest, and the published ones have no private part', async (t) => {
  const store = await openTemporaryStore(t);
  const keys = keysOn(store);
  await keys.sign({});
  const [record] = await store.records.list('keys/', 10);
  t.notMatch(record?.value, /"(?:d|p|q|kty)"|RSA/);
  t.same(Object.keys((await keys.jwks()).keys[0] ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  await t.rejects(keysOn(store, undefined, Buffer.alloc(32, 2)).jwks(), 'with another key they cannot be read');
});

test('All instances on a store have the same keys, also when they start at once', async (t) => {
  const store = await openTemporaryStore(t);
  const instances = Array.from({ length: 4 }, () => keysOn(store));
  const sets = await Promise.all(instances.map((each) => each.jwks()));
  for (const set of sets) t.same(set, sets[0]);
  t.equal(sets[0]?.keys.length, 1);
  const token = (await instances[0]?.sign({ sub: 'x' })) ?? '';
  t.match(await instances[3]?.verify(token), { sub: 'x' });
});

test('A new key is published ten minutes before it signs, and an old one for a day after its last signature', async (t) => {
  const store = await openTemporaryStore(t);
  const clock = { now: 1_900_000_000_000 };
  const [keys, other] = [keysOn(store, clock), keysOn(store, clock)];
  const old = await keys.sign({ sub: 'old' });
  await other.jwks();
  const kid = await keys.rotate();
  t.equal((await keys.jwks()).keys.length, 2);
  t.not(decodeProtectedHeader(await keys.sign({})).kid, kid, 'it does not sign yet');
  clock.now += 600_001;
  t.ok(
    (await other.jwks()).keys.some((key) => key.kid === kid),
    'another instance knows it by then',
  );
  const next = await keys.sign({ sub: 'next' });
  t.equal(decodeProtectedHeader(next).kid, kid);
  for (const token of [old, next]) t.ok(await other.verify(token));
  clock.now += DAY + 600_001;
  t.equal((await keys.jwks()).keys.length, 1);
  t.equal(await keys.verify(old), undefined);
  t.ok(await keys.verify(next));
});

test('A key that is old enough is followed by a new one, once for all instances', async (t) => {
  const store = await openTemporaryStore(t);
  const clock = { now: 1_900_000_000_000 };
  const instances = [keysOn(store, clock), keysOn(store, clock), keysOn(store, clock)];
  const before = decodeProtectedHeader((await instances[0]?.sign({})) ?? '').kid;
  clock.now += 89 * DAY;
  t.equal((await instances[1]?.jwks())?.keys.length, 1);
  clock.now += DAY;
  const sets = await Promise.all(instances.map((each) => each.jwks()));
  for (const set of sets) t.equal(set.keys.length, 2);
  clock.now += 600_001;
  t.not(decodeProtectedHeader((await instances[2]?.sign({})) ?? '').kid, before);
});
