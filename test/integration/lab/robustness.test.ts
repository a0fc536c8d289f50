/** Nothing that a client sends brings the lab down, or is felt by another client. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { authorization, freshName, newToken, sendRaw } from '../../support/secrets-lab-client.ts';

const SERVICES = ['secretsmanager', 'logs', 'kms', 'lambda', 'rds', 'sts', 'iam', 'ec2', 'cloudformation', 'nobody'];
const TARGETS = ['secretsmanager.DescribeSecret', 'Logs_20140328.FilterLogEvents', 'TrentService.DescribeKey'];

let lab: SecretsLab;
beforeAll(async () => {
  lab = await startSecretsManager();
});
afterAll(() => lab.close());

const dial = () => {
  const { port, hostname } = new URL(lab.endpoint);
  const socket = connect(Number(port), hostname);
  // The lab may hang up on us: that is an answer too.
  socket.on('error', () => undefined);
  return socket;
};

/** All that comes back until the lab closes the connection. */
async function talk(say: (socket: Socket) => void): Promise<string> {
  const socket = dial();
  say(socket);
  return await text(socket).catch(() => '');
}

const request = (service: string, { path = '/', body = '', target = TARGETS[0] ?? '' } = {}) =>
  [
    `POST ${path} HTTP/1.1`,
    'Host: lab',
    'Connection: close',
    'Content-Type: application/x-amz-json-1.1',
    `X-Amz-Target: ${target}`,
    `Authorization: ${authorization('us-east-1', service)}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');

const statuses = (answer: string) => Array.from(answer.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, status]) => Number(status));

async function expectAlive(): Promise<void> {
  expect((await sendRaw(lab, 'ListSecrets', {})).status).toBe(200);
}

describe('the endpoint outlives', () => {
  it('500 malformed requests, on every service, without a 500', async () => {
    const operation = fc.constantFrom('DescribeSecret', 'RotateSecret', 'PutResourcePolicy', 'GetRandomPassword');
    const target = fc.oneof(
      fc.constantFrom(...TARGETS),
      operation.map((name) => `secretsmanager.${name}`),
      fc.string({ unit: 'grapheme-ascii' }).map((name) => `secretsmanager.${name.replace(/[^!-~]/g, '')}`),
    );
    const path = fc.oneof(
      fc.constantFrom('/', '/2015-03-31/functions/%', '/2015-03-31/functions/%E0%A4%A/policy', '//', '/?', '*'),
      fc.webPath().map((each) => `/2015-03-31/functions/${each}`),
    );
    const form = fc.webQueryParameters().map((each) => `Action=DescribeDBInstances&Version=2014-10-31&${each}`);
    const json = fc.dictionary(fc.constantFrom('SecretId', 'Name', 'Filters', 'KeyId', 'ResourcePolicy'), fc.json());
    const body = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      form,
      json.map((each) => JSON.stringify(each)),
    );
    const malformed = fc.record({ service: fc.constantFrom(...SERVICES), path, target, body });
    await fc.assert(
      fc.asyncProperty(malformed, async ({ service, ...rest }) => {
        const answer = await talk((socket) => socket.end(request(service, rest)));
        expect(statuses(answer).every((status) => status < 500)).toBe(true);
      }),
      { numRuns: 500 },
    );
    await expectAlive();
  });

  it.each(SERVICES)('a client that hangs up after any byte of a request, signed for %s', async (service) => {
    const whole = request(service, { body: '{"SecretId":"x"}' });
    const cuts = Array.from({ length: whole.length }, (_, length) => whole.slice(0, length));
    await Promise.all(cuts.map(async (part) => await once(dial().end(part).resume(), 'close')));
    const resets = cuts.filter((_, length) => length % 7 === 0);
    await Promise.all(
      resets.map(async (part) => {
        const socket = dial();
        socket.write(part, () => socket.resetAndDestroy());
        await once(socket, 'close');
      }),
    );
    await expectAlive();
  });

  it.each(SERVICES)('a body of 12 MiB, signed for %s', async (service) => {
    const headers = { authorization: authorization('us-east-1', service) };
    const response = await fetch(lab.endpoint, { method: 'POST', headers, body: 'x'.repeat(12 * 1_048_576) });
    await response.text();
    expect(response.status).toBe(413);
    await expectAlive();
  });

  it('clients that are slow, while others are served', async () => {
    const slow = SERVICES.map((service) => {
      const socket = dial();
      const whole = request(service, { body: '{}' });
      socket.write(whole.slice(0, -1));
      return { socket, rest: whole.slice(-1) };
    });
    for (let times = 0; times < 20; times++) await expectAlive();
    for (const { socket, rest } of slow) {
      const answer = text(socket);
      socket.write(rest);
      expect(statuses(await answer)).toEqual([expect.any(Number)]);
    }
  });

  it('requests that do not wait for the answer before, each of which is answered', async () => {
    const open = request('secretsmanager', { body: '{"SecretId":"x"}' }).replace('Connection: close\r\n', '');
    const answer = await talk((socket) => socket.end(open.repeat(20) + request('kms')));
    expect(statuses(answer)).toEqual(Array(21).fill(400));
  });

  it('what is no HTTP at all', async () => {
    const answer = await talk((socket) => socket.end('\u0016\u0003\u0001 hello\r\n\r\n'));
    expect(statuses(answer)).toEqual([400]);
    await expectAlive();
  });
});

it('refuses a path with a malformed escape', async () => {
  for (const path of ['%', '%E0%A4%A', 'a%2']) {
    const headers = { authorization: authorization('us-east-1', 'lambda') };
    const response = await fetch(`${lab.endpoint}/2015-03-31/functions/${path}`, { headers });
    expect({ path, status: response.status }).toEqual({ path, status: 400 });
    await response.text();
  }
});

it('answers no page that somebody looks at, whose name may lead to the lab', async () => {
  const secret = { Name: freshName(), SecretString: 'of nobody else', ClientRequestToken: newToken() };
  expect((await sendRaw(lab, 'CreateSecret', secret)).status).toBe(200);
  const read = async (headers = {}) => await sendRaw(lab, 'GetSecretValue', { SecretId: secret.Name }, headers);
  expect((await read()).body).toMatchObject({ SecretString: secret.SecretString });
  const { status, body } = await read({ origin: 'http://page.example.com' });
  expect({ status, body }).toEqual({ status: 403, body: expect.objectContaining({ __type: 'AccessDeniedException' }) });
});
