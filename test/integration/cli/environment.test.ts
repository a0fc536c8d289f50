/** The doctor logs in and judges with the function's environment: what it finds broken is what the function refuses. */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import { type ArrangementOptions, arrange } from '../../support/arrangement.ts';
import { attachTo, deploy } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';
import { PgBouncer, pgBouncerIsHere } from '../../support/pgbouncer.ts';
import { roleScope, startTestServer } from '../../support/postgres.ts';
import { twins } from '../../support/twins.ts';

const { account, command, server } = await operator();

type Variables = Record<string, string>;

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly message: string;
}

let functions = 0;

/** What the doctor finds broken before a rotation, and what came of that; both by the same function. */
async function compare(secretArn: string, environment: Variables) {
  await attachTo(account, secretArn, deploy(account, 'single-user', { named: `-env-${++functions}`, environment }));
  const findings: Finding[] = (await command.json(['doctor', secretArn])).answer.findings;
  const broken = findings.filter(({ state }) => state === 'broken').map(({ message }) => message);
  const { failure } = (await command.json(['now', secretArn])).answer;
  return { broken, findings, failure };
}

describe('the doctor agrees with the function', () => {
  it.each<[string, Variables, ArrangementOptions, string | undefined]>([
    [
      'TLS_FALLBACK=allow, where the server has no TLS',
      { TLS_FALLBACK: 'allow' },
      { members: { ssl: undefined } },
      undefined,
    ],
    ['no TLS_FALLBACK there', {}, { members: { ssl: undefined } }, 'TLS_NOT_SUPPORTED'],
    [
      'TLS_FALLBACK=allow, where the secret asks for TLS',
      { TLS_FALLBACK: 'allow' },
      { members: { ssl: true } },
      'TLS_NOT_SUPPORTED',
    ],
    [
      'PASSWORD_HASHING=server where nothing can be copied',
      { PASSWORD_HASHING: 'server' },
      withoutTemporary(),
      'PASSWORD_WOULD_BE_LOGGED',
    ],
    ['PASSWORD_HASHING=server elsewhere', { PASSWORD_HASHING: 'server' }, {}, undefined],
    ['a value that makes no sense', { PASSWORD_LENGTH: 'long' }, {}, 'INVALID_ENVIRONMENT'],
  ])('with %s', async (_, environment, options, code) => {
    await using here = await arrange(account, server, { strategy: 'single-user' }, options);
    const { broken, failure } = await compare(here.secret.arn, environment);
    expect(failure?.code).toBe(code);
    if (failure === undefined) expect(broken).toEqual([]);
    else expect(broken.some((message) => message.includes(failure.message.replace(/\.$/, '')))).toBe(true);
  });

  it('and tells of a password that TLS_FALLBACK has go without TLS', async () => {
    await using here = await arrange(account, server, { strategy: 'single-user' }, { members: { ssl: undefined } });
    const { findings } = await compare(here.secret.arn, { TLS_FALLBACK: 'allow' });
    expect(findings.find(({ check }) => check === 'TLS')).toMatchObject({
      state: 'warning',
      message: expect.stringContaining('TLS_FALLBACK'),
    });
  });

  it.skipIf(!pgBouncerIsHere()).each<[Variables, string | undefined]>([
    [{ ALLOW_POOLER: 'true' }, undefined],
    [{}, 'DATABASE_BEHIND_PROXY'],
  ])('with %j before a pooler', async (environment, code) => {
    await using scope = roleScope(server);
    const role = await scope.createAppRole();
    await using pooler = await PgBouncer.start(server, { passwords: { from: 'query' } });
    const secret = await account.secretFor(pooler, role, { strategy: 'single-user' });
    const { broken, failure } = await compare(secret.arn, environment);
    expect({ code: failure?.code, broken: broken.length }).toEqual({ code, broken: code === undefined ? 0 : 1 });
  });

  it('with DB_CA_FILE: is not known without the file, and right with it', async () => {
    const authority = await CertificateAuthority.create();
    await using own = await startTestServer({ tls: (host) => authority.issue([host]) });
    await using scope = roleScope(own);
    const secret = await account.secretFor(
      own,
      await scope.createAppRole(),
      { strategy: 'single-user' },
      { ssl: true },
    );
    const file = join(tmpdir(), `authority-${process.pid}.pem`);
    await writeFile(file, authority.certificate);
    const environment = { DB_CA_FILE: file };
    await attachTo(account, secret.arn, deploy(account, 'single-user', { named: '-env-ca', environment }));
    const tls = async (...options: string[]) => {
      const findings: Finding[] = (await command.json(['doctor', secret.arn, ...options])).answer.findings;
      return findings.find(({ check }) => check === 'TLS')?.state;
    };
    expect([await tls(), await tls('--ca-file', file)]).toEqual(['unknown', 'ok']);
    expect((await command.run(['now', secret.arn, '--ca-file', file])).exitCode).toBe(0);
  });

  it('with ALTERNATING_SET_ROLE=false, which takes a setting back', async () => {
    await using scope = roleScope(server);
    const pair = await twins(account, scope);
    const twin = async (environment: Variables) => {
      const named = `-env-${++functions}`;
      await attachTo(account, pair.secret.arn, deploy(account, 'alternating-users', { named, environment }));
      const findings: Finding[] = (await command.json(['doctor', pair.secret.arn])).answer.findings;
      return findings.find(({ check }) => check === 'twin')?.message;
    };
    await twin({});
    for (let turn = 0; turn < 2; turn++) expect((await command.run(['now', pair.secret.arn])).exitCode).toBe(0);
    expect(await twin({})).not.toContain('brought in line');
    expect(await twin({ ALTERNATING_SET_ROLE: 'false' })).toContain('1 of its settings will be brought in line');
  });
});

/** A database in which the role may make no temporary table, so that no password can go as COPY data. */
function withoutTemporary(): ArrangementOptions {
  return {
    ownDatabase: true,
    prepare: () => "DO $$ BEGIN EXECUTE format('REVOKE TEMP ON DATABASE %I FROM PUBLIC', current_database()); END $$",
  };
}
