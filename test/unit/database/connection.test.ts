import { Duplex } from 'node:stream';
import fc from 'fast-check';
import type { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import {
  AUTHENTICATION,
  authenticationRequest,
  backendKeyData,
  fatal,
  parameterStatus,
  readyForQuery,
  saslMechanisms,
} from '../../../scripts/relays/backend-messages.ts';
import { ExplicitClient } from '../../../shared/database/client-options.ts';
import { meaningOf } from '../../../shared/database/connect-error.ts';
import {
  AuthenticationUnsupported,
  type DigestLogin,
  ServerConnection,
  TooManyIterations,
} from '../../../shared/database/connection.ts';
import { digestAnswer } from '../../../shared/database/redshift-wire.ts';
import { Password } from '../../../shared/secret/password.ts';

const SALT = Buffer.from('a salt').toString('base64');

/** The driver's end of a connection, without a network: what it writes is kept, and a test says what it reads. */
class FakeStream extends Duplex {
  readonly written: Buffer[] = [];

  constructor() {
    // As a socket has it: it closes when the other side has said all.
    super({ allowHalfOpen: false });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.written.push(chunk);
    this.emit('written');
    done();
  }

  connect(): this {
    queueMicrotask(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  get text(): string {
    return Buffer.concat(this.written).toString('latin1');
  }
}

/** A client of ours that waits for the server's answer to its start-up message. */
async function starting(login?: DigestLogin): Promise<{
  stream: FakeStream;
  connection: ServerConnection;
  connected: Promise<unknown>;
  client: Client;
}> {
  const stream = new FakeStream();
  const connection = new ServerConnection({ ssl: false, stream: () => stream, sslNegotiation: 'postgres' }, login);
  const client = new ExplicitClient({
    host: 'db',
    port: 5432,
    database: 'shop',
    user: 'app',
    password: 'hunter2',
    ssl: false,
    scramMaxIterations: 0,
    connection,
  });
  client.on('error', () => {});
  const started = new Promise((resolve) => stream.once('written', resolve));
  const connected = client.connect().then(
    () => 'connected',
    (error: unknown) => error,
  );
  await started;
  return { stream, connection, connected, client };
}

/** What comes of a connection whose server says this. */
async function hears(
  ...messages: readonly Buffer[]
): Promise<{ outcome: unknown; stream: FakeStream; connection: ServerConnection }> {
  const { stream, connection, connected } = await starting();
  for (const message of messages) stream.push(message);
  stream.push(null);
  return { outcome: await connected, stream, connection };
}

/** Begins SCRAM and answers with any server-first-message. */
async function scram(serverFirst: (nonce: string) => string) {
  const { stream, connection, connected } = await starting();
  const asked = new Promise((resolve) => stream.once('written', resolve));
  stream.push(saslMechanisms('SCRAM-SHA-256'));
  await asked;
  const nonce = /r=([^,]+)$/.exec(stream.text)?.[1] ?? '';
  const before = stream.written.length;
  stream.push(authenticationRequest(AUTHENTICATION.saslContinue, serverFirst(`${nonce}server`)));
  const proof = new Promise((resolve) => stream.once('written', () => resolve('proof')));
  const outcome = await Promise.race([connected, proof]);
  return { outcome, connection, stream, hasAnswered: stream.written.length > before };
}

describe('the digest request of Redshift, where it may be answered', () => {
  const login = { digest: digestAnswer, password: new Password('hunter2') };
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 2]), Buffer.from('ab'), Buffer.from([0, 0, 0, 1, 99])]);
  const greeting = [authenticationRequest(AUTHENTICATION.ok), backendKeyData(1, 2), readyForQuery()];

  it.each([1, 3, 7, 1_000])('is answered, in pieces of %i bytes, and the driver never hears of it', async (size) => {
    const { stream, connection, connected } = await starting(login);
    const before = stream.written.length;
    const answered = new Promise((resolve) => stream.once('written', resolve));
    const push = (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += size) stream.push(bytes.subarray(at, at + size));
    };
    push(authenticationRequest(13, body));
    await answered;
    push(Buffer.concat([parameterStatus('server_version', '8.0.2'), ...greeting]));
    expect(await connected).toBe('connected');
    expect(connection.passwordRequest).toEqual({ method: 'sha256-digest' });
    expect(stream.written[before]?.toString('latin1', 0, 1)).toBe('d');
    expect(connection.parameters.get('server_version')).toBe('8.0.2');
    expect(stream.text).not.toContain('hunter2');
  });

  it('of an algorithm that nobody knows is a typed error', async () => {
    const { stream, connected } = await starting(login);
    stream.push(authenticationRequest(13, Buffer.from([0, 0, 0, 2])));
    expect(await connected).toBeInstanceOf(AuthenticationUnsupported);
    expect(stream.destroyed).toBe(true);
  });
});

describe('an authentication request that nobody can answer by a password', () => {
  it.each<[number, RegExp]>([
    [1, /code 1$/],
    [2, /^Kerberos V5$/],
    [4, /crypt/],
    [6, /SCM/],
    [7, /^GSSAPI$/],
    [8, /^GSSAPI$/],
    [9, /^SSPI$/],
    [13, /Redshift/],
    [14, /identity provider/],
    [99, /a method of code 99/],
    [2 ** 31 - 1, /code 2147483647/],
  ])('is a typed error that names it: %d', async (kind, method) => {
    for (const body of ['', 'with a body']) {
      const { outcome, stream } = await hears(authenticationRequest(kind, body));
      expect(outcome).toBeInstanceOf(AuthenticationUnsupported);
      expect(outcome).toMatchObject({ method: expect.stringMatching(method) });
      expect(meaningOf(outcome, 'connecting', true)).toMatchObject({
        code: 'AUTHENTICATION_UNSUPPORTED',
        what: expect.stringMatching(new RegExp(method.source.replace(/[$^]/g, ''))),
      });
      expect(stream.destroyed).toBe(true);
      expect(stream.text).not.toContain('hunter2');
    }
  });

  it.each([
    ['SCRAM-SHA-512'],
    ['OAUTHBEARER'],
    ['SCRAM-SHA-256-PLUS'],
    ['GS2-KRB5', 'PLAIN'],
  ])('is SASL by others: %s', async (...mechanisms) => {
    const { outcome } = await hears(saslMechanisms(...mechanisms));
    expect(outcome).toBeInstanceOf(AuthenticationUnsupported);
    expect(outcome).toMatchObject({ method: `SASL ${mechanisms.join(', ')}` });
  });

  it('is one over TLS too, which has a stream of its own', async () => {
    for (const kind of [2, 7, 13]) {
      const { stream, connection, connected } = await starting();
      const encrypted = new FakeStream();
      connection.attachListeners(encrypted);
      encrypted.push(authenticationRequest(kind));
      expect(await connected).toBeInstanceOf(AuthenticationUnsupported);
      expect(encrypted.destroyed).toBe(true);
      stream.destroy();
    }
  });

  it('is one after another request too', async () => {
    const { outcome } = await hears(authenticationRequest(AUTHENTICATION.md5, 'salt'), authenticationRequest(7));
    expect(outcome).toBeInstanceOf(AuthenticationUnsupported);
  });

  it('is one in however many pieces it comes', async () => {
    const { stream, connected } = await starting();
    for (const byte of authenticationRequest(13, 'with a body')) stream.push(Buffer.from([byte]));
    expect(await connected).toBeInstanceOf(AuthenticationUnsupported);
  });
});

describe('how the server asked for the password', () => {
  it('is known, and that it was taken', async () => {
    const { stream, connection, connected } = await starting();
    expect([connection.passwordRequest, connection.authenticated]).toEqual([undefined, false]);
    stream.push(authenticationRequest(AUTHENTICATION.md5, 'salt'));
    stream.push(authenticationRequest(AUTHENTICATION.ok));
    stream.push(parameterStatus('server_version', '18.1'));
    stream.push(Buffer.concat([backendKeyData(4711, 1), readyForQuery()]));
    expect(await connected).toBe('connected');
    expect(connection.passwordRequest).toEqual({ method: 'md5' });
    expect(connection.authenticated).toBe(true);
    expect(connection.parameters.get('server_version')).toBe('18.1');
  });

  it.each<[string, readonly Buffer[], unknown, boolean]>([
    ['none, by who lets everybody in', [authenticationRequest(0)], undefined, true],
    ['in clear', [authenticationRequest(3)], { method: 'clear' }, false],
    ['in clear, and taken', [authenticationRequest(3), authenticationRequest(0)], { method: 'clear' }, true],
    ['by md5', [authenticationRequest(5, 'salt')], { method: 'md5' }, false],
  ])('is told: %s', async (_, messages, request, authenticated) => {
    const refused = fatal({ state: '53300', message: 'too many connections', routine: 'InitializeSessionUserId' });
    const { connection, outcome } = await hears(...messages, refused);
    expect(connection.passwordRequest).toEqual(request);
    expect(connection.authenticated).toBe(authenticated);
    expect(meaningOf(outcome, 'connecting', true).code).toBe('ROLE_CONNECTION_LIMIT');
  });

  it('is told with salt and count where it is SCRAM', async () => {
    const { connection, outcome } = await scram((nonce) => `r=${nonce},s=${SALT},i=4096`);
    expect(outcome).toBe('proof');
    expect(connection.passwordRequest).toEqual({
      method: 'scram-sha-256',
      salt: Buffer.from('a salt'),
      iterations: 4096,
    });
  });
});

describe('the rounds of SCRAM', () => {
  it.each([
    100_001, 1_000_000,
  ])('are computed up to a million, which is more than the driver would: %d', async (iterations) => {
    expect((await scram((nonce) => `r=${nonce},s=${SALT},i=${iterations}`)).outcome).toBe('proof');
  });

  it.each([
    '1000001',
    '2147483647',
    '99999999999999999999',
    `1${'0'.repeat(400)}`,
  ])('are a typed error beyond, and nothing is computed: %s', async (iterations) => {
    const { outcome, hasAnswered } = await scram((nonce) => `r=${nonce},s=${SALT},i=${iterations}`);
    expect(outcome).toBeInstanceOf(TooManyIterations);
    expect(meaningOf(outcome, 'connecting', true).code).toBe('SCRAM_ITERATIONS_TOO_HIGH');
    expect(hasAnswered).toBe(false);
  });

  it.each<[string, (nonce: string) => string]>([
    ['in another order', (nonce) => `r=${nonce},i=2000000000,s=${SALT}`],
    ['twice', (nonce) => `r=${nonce},s=${SALT},i=1,i=2000000000`],
    ['behind an extension', (nonce) => `m=x,r=${nonce},s=${SALT},i=2000000000`],
    ['before an extension', (nonce) => `r=${nonce},s=${SALT},i=2000000000,x=1`],
    ['in no number', (nonce) => `r=${nonce},s=${SALT},i=1e9`],
    ['negative', (nonce) => `r=${nonce},s=${SALT},i=-1`],
    ['zero', (nonce) => `r=${nonce},s=${SALT},i=0`],
    ['nowhere', (nonce) => `r=${nonce},s=${SALT}`],
    ['with a line feed', (nonce) => `r=${nonce},s=${SALT},i=1\n`],
    ['without a nonce of ours', () => `r=theirs,s=${SALT},i=1`],
    ['at all', () => ''],
  ])('are never computed where the message does not say them as it should: %s', async (_, serverFirst) => {
    const { outcome, hasAnswered } = await scram(serverFirst);
    expect(outcome).toBeInstanceOf(Error);
    expect(hasAnswered).toBe(false);
  });
});

describe('whatever a server sends', () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each));
  const type = fc.constantFrom(...'RESNKZTDCAGHWdcIn1t3vE');
  const message = fc.tuple(type, bytes).map(([letter, body]) => {
    const head = Buffer.alloc(5);
    head.write(letter, 0, 'latin1');
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  });
  const request = fc
    .tuple(fc.integer({ min: 0, max: 16 }), bytes)
    .map(([kind, body]) => authenticationRequest(kind, body));

  it('ends as an outcome of the connection, and nothing is thrown elsewhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(request, message, bytes), { minLength: 1, maxLength: 6 }), async (sent) => {
        const { outcome } = await hears(...sent);
        expect(outcome === 'connected' || outcome instanceof Error).toBe(true);
        if (outcome instanceof Error) expect(meaningOf(outcome, 'connecting', true).code).toBeTypeOf('string');
      }),
      { numRuns: 500 },
    );
  });

  it.each(['E', 'N', 'S', 'C', 'A', 'T', 'R'])('has an end, though a text in it has none: %s', async (letter) => {
    for (const body of ['', 'x', 'SFATAL', 'SFATAL\0', 'SFATAL\0M', '\0\0\0\u000aSCRAM', '\u0001\0\0\0']) {
      const head = Buffer.alloc(5);
      head.write(letter, 0, 'latin1');
      head.writeInt32BE(Buffer.byteLength(body, 'latin1') + 4, 1);
      const { outcome } = await hears(Buffer.concat([head, Buffer.from(body, 'latin1')]));
      expect(outcome).toBeInstanceOf(Error);
    }
  });
});
