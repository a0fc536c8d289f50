import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type LabEvent, LabEvents } from '../../../scripts/lab/events.ts';
import { FunctionRegistry } from '../../../scripts/lab/functions/function-registry.ts';
import { eventually } from '../../support/secrets-lab-client.ts';

const bundle = (name: string) => fileURLToPath(new URL(`../../support/functions/${name}.mjs`, import.meta.url));
const SCRIPTED = bundle('scripted-rotation');

const events: LabEvent[] = [];
const bus = new LabEvents(() => new Date());
let functions: FunctionRegistry;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-functions-'));
  bus.on((event) => events.push(event));
  functions = new FunctionRegistry(bus, () => ({ SECRETS_MANAGER_ENDPOINT: 'http://127.0.0.1:9' }));
});
afterAll(async () => {
  await functions.close();
  await rm(folder, { recursive: true });
});
afterEach(() => {
  delete process.env.LAB_TEST_LEAK;
});

const register = (
  name: string,
  more: { environment?: Record<string, string>; timeoutMs?: number; concurrency?: number } = {},
) => functions.register({ name, bundle: SCRIPTED, ...more });

const echo = (arn: string) => functions.invoke(arn, { Step: 'echo' });

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function pidsIn(record: string): Promise<number[]> {
  const lines = (await readFile(record, 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line).pid);
}

const logLines = (functionName: string) =>
  events.flatMap((event) => (event.type === 'log-line' && event.functionName === functionName ? [event] : []));

describe('a function', () => {
  it('answers what its handler returns, and keeps its process warm', async () => {
    const arn = register('warm');
    expect(arn).toBe('arn:aws:lambda:us-east-1:123456789012:function:warm');
    expect(await echo(arn)).toEqual({ ok: true, payload: { echoed: { Step: 'echo' } } });
    await echo(arn);
    expect(
      logLines('warm')
        .map(({ stream, line }) => `${stream}: ${line}`)
        .sort(),
    ).toEqual(['stderr: err echo', 'stderr: err echo', 'stdout: out echo', 'stdout: out echo']);
    expect(new Set(logLines('warm').map(({ requestId }) => requestId)).size).toBe(2);
  });

  it("answers a handler's error with its name and message", async () => {
    const arn = register('failing', { environment: { BEHAVIOUR_echo: 'fail' } });
    const result = await echo(arn);
    expect(result).toMatchObject({ ok: false, errorType: 'ScriptedError', errorMessage: 'told to fail' });
    expect(result.ok || result.trace.length).toBeGreaterThan(1);
  });

  it("has Lambda's environment and its own, and nothing of this process's", async () => {
    process.env.LAB_TEST_LEAK = 'leaked';
    const arn = register('environment', {
      environment: { RECORD_FILE: `${folder}/environment`, MINE: 'yes' },
      timeoutMs: 5_000,
    });
    await echo(arn);
    const record = JSON.parse(await readFile(`${folder}/environment`, 'utf8'));
    expect(record.environment).toMatchObject({
      MINE: 'yes',
      SECRETS_MANAGER_ENDPOINT: 'http://127.0.0.1:9',
      AWS_LAMBDA_FUNCTION_NAME: 'environment',
      AWS_REGION: 'us-east-1',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      TZ: ':UTC',
    });
    for (const name of ['NODE_OPTIONS', 'LAB_TEST_LEAK', 'VITEST', 'NODE_ENV'])
      expect(record.environment).not.toHaveProperty(name);
    expect(record.context).toMatchObject({
      functionName: 'environment',
      invokedFunctionArn: arn,
      logGroupName: '/aws/lambda/environment',
      memoryLimitInMB: '256',
    });
    expect(record.remaining).toBeGreaterThan(0);
    expect(record.remaining).toBeLessThanOrEqual(5_000);
  });

  it('is killed at its deadline, and starts afresh next time', async () => {
    const record = `${folder}/slow`;
    const environment = { BEHAVIOUR_hang: 'hang', RECORD_FILE: record };
    const arn = register('slow', { environment, timeoutMs: 1_500 });
    const result = await functions.invoke(arn, { Step: 'hang' });
    expect(result).toMatchObject({ ok: false, errorType: 'Sandbox.Timedout' });
    expect(result.ok || result.errorMessage).toContain('Task timed out after 1.50 seconds');
    expect(await echo(arn)).toMatchObject({ ok: true });
    const [hung, fresh] = await pidsIn(record);
    expect(fresh).not.toBe(hung);
    expect(isAlive(hung ?? 0)).toBe(false);
  });

  it('that ends its process has failed, and starts afresh next time', async () => {
    const arn = register('crashing', { environment: { BEHAVIOUR_crash: 'crash' } });
    const result = await functions.invoke(arn, { Step: 'crash' });
    expect(result).toMatchObject({ ok: false, errorType: 'Runtime.ExitError' });
    expect(result.ok || result.errorMessage).toContain('exit status 3');
    expect(await echo(arn)).toMatchObject({ ok: true });
  });

  it.each([
    ['throws while it loads', 'broken-import', 'broken while loading'],
    ['exports no handler', 'no-handler', 'index.handler'],
    ['does not exist', 'not-there', 'not-there'],
  ])('that %s fails each invocation with the reason', async (_, file, reason) => {
    const arn = functions.register({ name: file, bundle: bundle(file) });
    for (let time = 0; time < 2; time++) {
      const result = await echo(arn);
      expect(result.ok || result.errorMessage).toContain(reason);
    }
  });

  it('serves concurrent invocations in processes of their own, up to its limit', async () => {
    const arn = register('busy', { environment: { RECORD_FILE: `${folder}/busy` }, concurrency: 2 });
    const results = await Promise.all(Array.from({ length: 6 }, () => echo(arn)));
    expect(results.every((result) => result.ok)).toBe(true);
    const pids = await pidsIn(`${folder}/busy`);
    expect(pids).toHaveLength(6);
    expect(new Set(pids).size).toBe(2);
  });

  it('leaves no process behind once closed, not even one that hangs', async () => {
    const record = `${folder}/left`;
    const own = new FunctionRegistry(bus);
    const arn = own.register({
      name: 'left',
      bundle: SCRIPTED,
      environment: { RECORD_FILE: record, BEHAVIOUR_hang: 'hang' },
    });
    const hanging = own.invoke(arn, { Step: 'hang' });
    const pid = await eventually(async () => {
      const line = await readFile(record, 'utf8').catch(() => '');
      return line.endsWith('\n') ? Number(JSON.parse(line).pid) : undefined;
    });
    expect(isAlive(pid)).toBe(true);
    await own.close();
    expect(isAlive(pid)).toBe(false);
    expect(await hanging).toMatchObject({ ok: false });
  });
});

it('a function that nobody registered is not found', async () => {
  expect(await functions.invoke('arn:aws:lambda:us-east-1:123456789012:function:none', {})).toMatchObject({
    ok: false,
    errorType: 'ResourceNotFoundException',
  });
});
