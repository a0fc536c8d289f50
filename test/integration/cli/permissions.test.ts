/** docs/policies and docs/permissions.md, held against the calls that the lab sees of each subcommand. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelRotateSecretCommand, DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../../shared/iam/policy-evaluation.ts';
import { arrange } from '../../support/arrangement.ts';
import { attachTo, deploy, tag } from '../../support/attached.ts';
import { operator } from '../../support/operator.ts';

const { account, command, server } = await operator();
const { faults, requests, resources } = account.lab;

const file = (path: string) => readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8');
const policy = (name: string): { readonly Statement: readonly { readonly Action: string | readonly string[] }[] } =>
  JSON.parse(file(`policies/${name}.json`));
const READ_ONLY = policy('read-only');
const FULL = policy('full');
const actionsOf = ({ Statement }: typeof FULL) => new Set(Statement.flatMap(({ Action }) => Action));

/** What the policy says to a call, of a resource as this operation has it. */
function decisionOf(document: typeof FULL, action: string) {
  const [service = ''] = action.split(':');
  const context: Readonly<Record<string, string>> =
    service === 'kms' ? { 'kms:ViaService': 'secretsmanager.us-east-1.amazonaws.com' } : {};
  return evaluate([document], { action, resource: `arn:aws:${service}:us-east-1:123456789012:any`, context });
}

/** What Secrets Manager asks for in the caller's name, which no lab sees (API reference: CreateSecret, RotateSecret, PutSecretValue). */
const IN_YOUR_NAME = [
  'kms:Decrypt',
  'kms:GenerateDataKey',
  'lambda:InvokeFunction',
  'secretsmanager:ReplicateSecretToRegions',
];

/** The calls of a subcommand: those of functions, which rotate meanwhile, are not its own. */
async function callsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  requests.clear();
  const before = new Map(resources.called.map((action) => [action, resources.calls(action)]));
  await work();
  const own = requests
    .all()
    .filter(({ userAgent }) => !userAgent?.includes('exec-env/AWS_Lambda'))
    .map(({ operation }) => `secretsmanager:${operation}`);
  const others = resources.called.filter((action) => resources.calls(action) > (before.get(action) ?? 0));
  return [...new Set([...own, ...others])].sort();
}

const done = async (args: readonly string[], options: Parameters<typeof command.run>[1] = {}) => {
  const { exitCode, stdout, stderr } = await command.run(args, options);
  expect({ args, exitCode, stdout, stderr }).toMatchObject({ exitCode: 0 });
};

let folder = '';
/** By subcommand, in the lab, as it is used. */
const seen = new Map<string, readonly string[]>();
const note = async (name: string, work: () => Promise<unknown>) => {
  seen.set(name, [...new Set([...(seen.get(name) ?? []), ...(await callsOf(work))])].sort());
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'permissions-'));
  const vpc = { vpcId: 'vpc-1', subnetIds: ['subnet-1'], securityGroupIds: ['sg-1'] };
  resources.subnets.push({ id: 'subnet-1', vpcId: 'vpc-1', defaultRoute: 'nat-1' });
  resources.securityGroups.push({ id: 'sg-1', vpcId: 'vpc-1' });
  resources.keys.push({ id: 'shop', aliases: ['alias/shop'] });
  const ours = deploy(account, 'single-user', { settings: { vpc } });
  resources.stacks.set('ours', { name: 'ours', outputs: { SingleUserFunctionArn: ours } });
  await using here = await arrange(account, server, { strategy: 'single-user' });
  const { arn } = here.secret;
  const all = ['--all', '--filter', 'tag:group=one'];
  await tag(account, arn, { group: 'one' });
  const { role } = here;

  const plain = ['--host', server.host, '--port', String(server.port), '--ssl', 'false', '--username', role.name];
  const more = ['--tag', 'group=two', '--kms-key-id', 'alias/shop', '--password-stdin'];
  await note('create', () => done(['create', 'permissions/new', ...plain, ...more], { stdin: role.password }));
  await note('attach', () => done(['attach', arn, '--stack', 'ours', '--rotate-immediately', '--yes']));
  await note('now', async () => {
    await done(['now', arn]);
    await done(['now', ...all, '--yes']);
  });
  await note('status', async () => {
    await done(['status', arn]);
    await done(['status', ...all, '--login']);
  });
  // Of a key of its own, and a role of whose rights the secret's policy may have the last word.
  const poor = 'arn:aws:iam::123456789012:role/poor';
  resources.roles.set(poor, { arn: poor, policies: [] });
  const created = await account.client.send(new DescribeSecretCommand({ SecretId: 'permissions/new' }));
  await attachTo(
    account,
    created.ARN ?? '',
    deploy(account, 'single-user', { named: '-poor', settings: { role: poor } }),
  );
  await using stuck = await arrange(account, server, { strategy: 'single-user' });
  await stuck.secret.begin();
  await account.client.send(new CancelRotateSecretCommand({ SecretId: stuck.secret.arn }));
  await note('status', () => command.run(['status', stuck.secret.arn]));
  await note('doctor', async () => {
    await done(['doctor', arn]);
    await done(['doctor', ...all]);
    await command.run(['doctor', 'permissions/new', '--no-login']);
    await command.run(['doctor', stuck.secret.arn]);
  });
  const bare = await account.store({ strategy: 'single-user' }, await here.secret.text());
  await tag(account, bare.arn, { group: 'bare' });
  await note('coverage', () => command.run(['coverage', '--filter', 'tag:group', '--yes']));
  await note('report', () =>
    done(['report', join(folder, 'report.html'), '--filter', 'tag:group', '--coverage', '--yes']),
  );
  await note('history', () => done(['history', arn]));
  await note('code', () => done(['code', arn]));
  await note('completion', () => done(['__complete', '--', 'doctor', 'perm'], { before: true }));
  await note('run', () => done(['run', arn, '--', 'true'], { before: true }));
  await note('rollback', () => done(['rollback', arn, '--yes']));
  await note('update', () => done(['update', arn, '--dbname', 'template1', '--yes']));
  await note('pause', () => done(['pause', arn, '--reason', 'a test', '--yes']));
  await note('resume', () => done(['resume', arn, '--yes']));
  const record = join(folder, 'record.json');
  const other = deploy(account, 'single-user', { named: '-other' });
  await note('attach', async () => {
    await done(['attach', ...all, '--function', other, '--record', record, '--yes']);
    await done(['attach', '--undo', record, '--yes']);
  });
  await note('doctor --fix', () => command.run(['doctor', stuck.secret.arn, '--fix', '--yes']));
  expect((await stuck.secret.labels()).AWSPENDING).toBeUndefined();
  await account.lab.settled(arn);
  await attachTo(account, arn, ours);
  await note('detach', () => done(['detach', arn, '--reason', 'a test', '--yes']));
  // What it does besides looking.
  seen.set(
    'doctor --fix',
    (seen.get('doctor --fix') ?? []).filter((call) => !seen.get('doctor')?.includes(call)),
  );
  await attachTo(account, created.ARN ?? '', ours);
}, 480_000);
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** Subcommands that look and change nothing. */
const LOOKING = ['status', 'doctor', 'coverage', 'report', 'history', 'code', 'completion', 'run'];

describe('docs/policies', () => {
  it('read-only allows all that those need which change nothing', () => {
    const calls = LOOKING.flatMap((name) => seen.get(name) ?? []);
    expect(calls.filter((action) => decisionOf(READ_ONLY, action) !== 'allowed')).toEqual([]);
  });

  it('full allows all that any subcommand needs, and whatever read-only does', () => {
    const calls = [...seen.values(), [...actionsOf(READ_ONLY)], IN_YOUR_NAME].flat();
    expect(calls.filter((action) => decisionOf(FULL, action) !== 'allowed')).toEqual([]);
  });

  it('allow nothing that no subcommand was seen to need', () => {
    const calls = new Set([...seen.values(), IN_YOUR_NAME].flat());
    expect([...actionsOf(FULL)].filter((action) => !calls.has(action))).toEqual([]);
    const looking = new Set([...LOOKING.flatMap((name) => seen.get(name) ?? []), 'kms:Decrypt']);
    expect([...actionsOf(READ_ONLY)].filter((action) => !looking.has(action))).toEqual([]);
  });
});

/** | `action` | subcommands | what is lacking without it | */
const rows = Array.from(file('permissions.md').matchAll(/^\| `(\w+:\w+)` \| (.+?) \| (.+?) \|$/gm), (row) => ({
  action: row[1] ?? '',
  names: Array.from((row[2] ?? '').matchAll(/`([^`]+)`/g), ([, name]) => name ?? '').sort(),
}));

describe('docs/permissions.md', () => {
  it('says of every permission which subcommands were seen to use it', () => {
    const used = [...actionsOf(FULL)]
      .filter((action) => !IN_YOUR_NAME.includes(action))
      .map((action) => ({
        action,
        names: [...seen].flatMap(([name, calls]) => (calls.includes(action) ? name : [])).sort(),
      }));
    const byAction = (a: { action: string }, b: { action: string }) => (a.action < b.action ? -1 : 1);
    expect(rows.filter(({ action }) => !IN_YOUR_NAME.includes(action)).toSorted(byAction)).toEqual(
      used.toSorted(byAction),
    );
    expect(
      rows
        .map(({ action }) => action)
        .filter((action) => IN_YOUR_NAME.includes(action))
        .sort(),
    ).toEqual(IN_YOUR_NAME);
  });
});

/** As IAM refuses it. @returns how to allow it again. */
function refuse(action: string): () => void {
  const [service, operation = ''] = action.split(':');
  if (service !== 'secretsmanager') return resources.refuse(action);
  const message = `User: arn:aws:iam::123456789012:user/lab is not authorized to perform: ${action}`;
  const fault = faults.fail({ operation, type: 'AccessDeniedException', message, times: 99 });
  return () => fault.remove();
}

it('who lacks one permission is told which by doctor, and all else is looked at all the same', async () => {
  const look = ['doctor', 'permissions/new', '--no-login'];
  const asked = await callsOf(() => command.run(look));
  expect(asked).toContain('kms:DescribeKey');
  const whole: readonly { readonly check: string }[] = (await command.json(look)).answer.findings;
  const without: [string, string][] = [];
  for (const action of asked.filter((each) => each !== 'secretsmanager:DescribeSecret')) {
    const allow = refuse(action);
    const { answer } = await command.json(look);
    allow();
    expect(JSON.stringify(answer.findings), action).toContain(action);
    // Of what can't be asked, others may hang: nothing else is left out.
    const checks = answer.findings.map(({ check }: { readonly check: string }) => check);
    const lost = whole.filter(({ check }) => !checks.includes(check)).map(({ check }) => check);
    if (lost.length > 0) without.push([action, lost.join()]);
  }
  expect(Object.fromEntries(without)).toEqual(LOST_WITH);
}, 480_000);

it('those that docs/permissions.md names do without a password', async () => {
  await using here = await arrange(account, server, { strategy: 'single-user' });
  const { arn } = here.secret;
  await attachTo(account, arn, deploy(account, 'single-user', { named: '-unread' }));
  await tag(account, arn, { group: 'unread' });
  const allow = refuse('secretsmanager:GetSecretValue');
  try {
    await done(['status', arn]);
    await done(['history', arn]);
    await done(['report', join(folder, 'unread.html'), '--filter', 'tag:group=unread']);
    await done(['code', arn]);
    await done(['pause', arn, '--reason', 'a test', '--yes']);
    await done(['resume', arn, '--yes']);
    await done(['detach', arn, '--reason', 'a test', '--yes']);
  } finally {
    allow();
    await account.lab.settled(arn);
  }
}, 240_000);

/** What can't be looked at without what the refused call would have told. */
const NETWORK = 'way to Secrets Manager,security groups';
const LOST_WITH: Readonly<Record<string, string>> = {
  'ec2:DescribeRouteTables': NETWORK,
  'ec2:DescribeSecurityGroups': NETWORK,
  'ec2:DescribeVpcEndpoints': NETWORK,
  'lambda:GetFunction': `role policy,KMS,${NETWORK}`,
  'secretsmanager:GetSecretValue': NETWORK,
};
