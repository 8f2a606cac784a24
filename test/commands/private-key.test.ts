import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, importJWK, type JWK, jwtVerify } from 'jose';
import { test } from 'tap';
import { signedJwt } from '../../src/auth/keys/jws.ts';
import { newKeyPair, readPrivateKey } from '../../src/commands/private-key.ts';
import { ConfigurationError } from '../../src/config.ts';
import { temporaryFolder } from '../http/test-server.ts';

test('a new key signs what others verify with its public half', async (t) => {
  const { privateJwk, publicJwk } = newKeyPair();
  t.notOk('d' in publicJwk, 'the public half tells nothing of the private one');
  t.equal(publicJwk['kid'], await calculateJwkThumbprint(publicJwk as JWK), 'its name is its thumbprint (RFC 7638)');
  const jwt = await signedJwt({ iss: 'a' }, privateJwk);
  const { payload, protectedHeader } = await jwtVerify(jwt, await importJWK(publicJwk as JWK));
  t.match(
    { payload, protectedHeader },
    { payload: { iss: 'a' }, protectedHeader: { alg: 'ES384', kid: privateJwk.kid } },
  );
});

test('reads a private key as a JWK, in a JWK set, and as PEM', async (t) => {
  const folder = temporaryFolder(t);
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const { privateJwk } = newKeyPair();
  t.same(readPrivateKey(file('jwk.json', JSON.stringify(privateJwk))), privateJwk);
  t.same(readPrivateKey(file('set.json', JSON.stringify({ keys: [privateJwk] }))), privateJwk);
  for (const [kind, options, alg] of [
    ['rsa', { modulusLength: 2048 }, 'RS384'],
    ['ec', { namedCurve: 'P-256' }, 'ES256'],
    ['ec', { namedCurve: 'P-384' }, 'ES384'],
  ] as const) {
    const { privateKey } = generateKeyPairSync(kind as 'rsa', options as { modulusLength: number });
    const read = readPrivateKey(file('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }) as string));
    const publicJwk = createPublicKey(privateKey).export({ format: 'jwk' });
    t.match(read, { alg, kid: await calculateJwkThumbprint(publicJwk as JWK) });
  }
});

test('says in one line what is wrong with a file that has no private key', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'key');
  const { publicJwk } = newKeyPair();
  for (const text of ['', '{', '{}', JSON.stringify(publicJwk), JSON.stringify({ keys: [] }), 'nonsense']) {
    writeFileSync(path, text);
    t.throws(() => readPrivateKey(path), ConfigurationError, text.slice(0, 20));
  }
  t.throws(() => readPrivateKey(join(folder, 'absent')), /absent/);
});
