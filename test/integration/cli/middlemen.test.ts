import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { PgBouncer, pgBouncerIsHere } from '../../support/pgbouncer.ts';
import { roleScope } from '../../support/postgres.ts';
import { asksFor, asksForIterations, type Script, ScriptedServer } from '../../support/scripted-server.ts';
import { freshName, refusal } from '../../support/secrets-lab-client.ts';

const { account, command, server } = await operator();

const STRATEGY = { strategy: 'single-user' } as const;

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly message: string;
  readonly remedy?: string;
}

/** What doctor finds broken in a secret that rotates. */
async function brokenOf(secretArn: string) {
  const { exitCode, answer } = await command.json(['doctor', secretArn]);
  const findings: Finding[] = answer.findings;
  return { exitCode, broken: findings.filter(({ state }) => state === 'broken') };
}

let functions = 0;
const newFunction = () => deploy(account, 'single-user', { named: `-middlemen-${++functions}` });

it.each<[string, Script, RegExp, RegExp]>([
  ['GSSAPI', asksFor(7), /GSSAPI/, /pg_hba\.conf/],
  ['a method that nobody knows', asksFor(99), /\b99\b/, /pg_hba\.conf/],
  ['two billion iterations', asksForIterations(2 ** 31 - 1), /2,?147,?483,?647/, /scram_iterations/],
])('doctor finds %s, and goes on to the end', async (_, script, message, remedy) => {
  await using odd = await ScriptedServer.start(script);
  const members = { host: odd.host, port: odd.port };
  await using here = await arrange(account, server, STRATEGY, { members });
  await attachTo(account, here.secret.arn, newFunction());
  expect(await brokenOf(here.secret.arn)).toEqual({
    exitCode: 3,
    broken: expect.arrayContaining([{ check: 'login AWSCURRENT', state: 'broken', ...matching({ message, remedy }) }]),
  });
});

describe.skipIf(!pgBouncerIsHere())('before a pooler', () => {
  it('doctor says that the rotation will be refused, and why', async () => {
    await using scope = roleScope(server);
    const role = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' } });
    const secret = await account.secretFor(pooler, role, STRATEGY);
    await attachTo(account, secret.arn, newFunction());
    expect(await brokenOf(secret.arn)).toEqual({
      exitCode: 3,
      broken: expect.arrayContaining([
        expect.objectContaining(matching({ message: /pooler|proxy/i, remedy: /"host"/ })),
      ]),
    });
  });

  it('create stores nothing', async () => {
    await using scope = roleScope(server);
    const role = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' } });
    const name = freshName('create/pooler');
    const where = ['--host', pooler.host, '--port', String(pooler.port), '--ssl', 'false', '--dbname', role.database];
    const args = ['create', name, ...where, '--username', role.name, '--password-stdin'];
    const { exitCode, stdout, stderr } = await command.run(args, { stdin: role.password });
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toMatch(/pooler|proxy/i);
    const stored = account.client.send(new GetSecretValueCommand({ SecretId: name }));
    expect(await refusal(stored)).toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('attach says so', async () => {
    await using scope = roleScope(server);
    const role = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' } });
    const secret = await account.secretFor(pooler, role, STRATEGY);
    const args = ['attach', secret.arn, '--function', newFunction(), '--yes'];
    const { exitCode, stdout, stderr } = await command.run(args);
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toMatch(/pooler|proxy/i);
  });
});

it('an endpoint of RDS Proxy is known by its name, and nothing is sent to it', async () => {
  await using scope = roleScope(server);
  const role = await scope.createAppRole();
  const host = 'shop.proxy-abcdefghijkl.us-east-1.rds.amazonaws.com';
  const name = freshName('create/rds-proxy');
  const args = ['create', name, '--host', host, '--username', role.name, '--password-stdin'];
  const created = await command.run(args, { stdin: role.password });
  expect(created).toMatchObject({ exitCode: 4, stderr: expect.stringMatching(/proxy.*nothing was stored\./i) });

  await using here = await arrange(account, server, STRATEGY, { members: { host } });
  const attached = await command.json(['attach', here.secret.arn, '--function', newFunction(), '--yes']);
  const ofLogin = { check: 'login AWSCURRENT', state: 'broken', ...matching({ message: /proxy/i, remedy: /"host"/ }) };
  expect(attached.exitCode).toBe(4);
  expect(attached.answer.findings).toContainEqual(ofLogin);
  const { answer } = await command.json(['doctor', here.secret.arn]);
  expect(answer.findings).toContainEqual(ofLogin);
  expect(answer.lockedOut.answer).toBe('unknown');
});

const matching = ({ message, remedy }: { message: RegExp; remedy: RegExp }) => ({
  message: expect.stringMatching(message),
  remedy: expect.stringMatching(remedy),
});
