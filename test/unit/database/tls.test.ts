import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tlsPolicy, trustStore } from '../../../shared/database/tls.ts';

describe('TLS', () => {
  it.each([
    [true, false, 'verified'],
    [true, true, 'verified'],
    [undefined, false, 'verified'],
    [undefined, true, 'verified-or-plain'],
    [false, false, 'plain'],
    [false, true, 'plain'],
  ] as const)('with ssl %s in the secret and fallback %s is %s', (ssl, fallback, policy) => {
    expect(tlsPolicy(ssl, fallback)).toBe(policy);
  });
});

describe('the trusted certificates', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trust-'));
    await writeFile(file('ca.pem'), `A comment.\n${rootCertificates[0]}\n${rootCertificates[1]}\n`);
    await writeFile(file('empty.pem'), 'no certificate here');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are read once for all connections', async () => {
    const trust = trustStore([{ path: file('ca.pem'), optional: false }]);
    expect(await trust()).toBe(await trust());
  });

  it('do without an optional file', async () => {
    await expect(trustStore([{ path: file('nowhere.pem'), optional: true }])()).resolves.toBeDefined();
    await expect(trustStore([{ path: file('empty.pem'), optional: true }])()).resolves.toBeDefined();
    expect(getCACertificates('default').length).toBeGreaterThan(0);
  });

  it.each([
    ['nowhere.pem', 'ENOENT'],
    ['empty.pem', undefined],
  ])('need every other file to be there, with a certificate in it: %s', async (name, reason) => {
    const error = await trustStore([{ path: file(name), optional: false }])().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_ENVIRONMENT', facts: { key: 'DB_CA_FILE' } });
    expect(Reflect.get(Object(error), 'facts').reason).toBe(reason);
  });

  it('are looked for again after a failure', async () => {
    const trust = trustStore([{ path: file('late.pem'), optional: false }]);
    await expect(trust()).rejects.toThrow('DB_CA_FILE');
    await writeFile(file('late.pem'), rootCertificates[0] ?? '');
    await expect(trust()).resolves.toBeDefined();
  });
});
