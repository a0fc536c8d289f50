/**
 * A rotation function that keeps the contract in the smallest way and misbehaves as its environment says:
 * BEHAVIOUR_<step> = fail | fail-once | hang | crash | nothing | wait (for RECORD_FILE.go), and RECORD_FILE gets a line for each invocation.
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';

/** @typedef {{ readonly SecretId: string, readonly ClientRequestToken: string, readonly RotationToken?: string, readonly Step: string }} Event */

const { env } = process;
const SIGNATURE = `AWS4-HMAC-SHA256 Credential=test/20260101/${env.AWS_REGION}/secretsmanager/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`;
let invocations = 0;

/**
 * @param {string} operation
 * @param {object} body
 * @returns {Promise<{ readonly SecretString?: string, readonly VersionIdsToStages?: Readonly<Record<string, readonly string[]>> }>}
 */
async function call(operation, body) {
  const response = await fetch(env.SECRETS_MANAGER_ENDPOINT ?? '', {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `secretsmanager.${operation}`,
      authorization: SIGNATURE,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  const { Message, __type } = JSON.parse(text);
  throw Object.assign(new Error(Message), { name: __type });
}

/** @type {Readonly<Record<string, (event: Event) => Promise<unknown>>>} */
const steps = {
  async createSecret({ SecretId, ClientRequestToken, RotationToken }) {
    await call('PutSecretValue', {
      SecretId,
      ClientRequestToken,
      RotationToken,
      SecretString: `value of ${ClientRequestToken}`,
      VersionStages: ['AWSPENDING'],
    });
  },
  async setSecret() {},
  async testSecret({ SecretId }) {
    const { SecretString } = await call('GetSecretValue', { SecretId, VersionStage: 'AWSPENDING' });
    return SecretString;
  },
  async finishSecret({ SecretId, ClientRequestToken }) {
    const { VersionIdsToStages = {} } = await call('DescribeSecret', { SecretId });
    const current = Object.keys(VersionIdsToStages).find((id) => VersionIdsToStages[id]?.includes('AWSCURRENT'));
    if (current === ClientRequestToken) return;
    await call('UpdateSecretVersionStage', {
      SecretId,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: ClientRequestToken,
      RemoveFromVersionId: current,
    });
  },
};

/**
 * @param {string | undefined} behaviour
 * @param {string} marker
 */
async function misbehave(behaviour, marker) {
  switch (behaviour) {
    case 'fail':
      throw Object.assign(new Error('told to fail'), { name: 'ScriptedError' });
    case 'fail-once':
      if (existsSync(marker)) return;
      writeFileSync(marker, '');
      throw Object.assign(new Error('told to fail once'), { name: 'ScriptedError' });
    case 'wait':
      while (!existsSync(`${env.RECORD_FILE}.go`)) await new Promise((resolve) => setTimeout(resolve, 10));
      return;
    case 'hang':
      await new Promise((resolve) => setTimeout(resolve, 600_000));
      return;
    case 'crash':
      process.exit(3);
  }
}

/**
 * @param {Event} event
 * @param {{ getRemainingTimeInMillis(): number }} context
 */
export async function handler(event, context) {
  invocations++;
  const { RotationToken, ...shown } = event;
  const record = {
    ...shown,
    hasRotationToken: /^[0-9a-f-]{36}$/.test(RotationToken ?? ''),
    pid: process.pid,
    invocations,
    remaining: context.getRemainingTimeInMillis(),
    context: { ...context },
    environment: { ...env },
  };
  if (env.RECORD_FILE) appendFileSync(env.RECORD_FILE, `${JSON.stringify(record)}\n`);
  process.stdout.write(`out ${event.Step}\n`);
  process.stderr.write(`err ${event.Step}\n`);
  const behaviour = env[`BEHAVIOUR_${event.Step}`];
  if (behaviour === 'nothing') return null;
  await misbehave(behaviour, `${env.RECORD_FILE}.${event.Step}`);
  return await (steps[event.Step]?.(event) ?? { echoed: event });
}
