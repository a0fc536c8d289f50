import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../cli/exit-codes.ts';
import { type SecretsLab, startSecretsManager } from '../../../scripts/lab/secrets-lab.ts';
import { RotationCommand } from '../../support/command.ts';

const file = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const LAUNCHER = file('bin/rotation.mjs');
const SUBCOMMANDS = [
  ...['create', 'attach', 'now', 'status', 'doctor', 'coverage', 'report', 'history', 'pause', 'detach', 'resume'],
  ...['update', 'psql', 'run', 'code', 'completion', 'rollback', 'adopt-clone'],
];

let lab: SecretsLab;
let command: RotationCommand;
beforeAll(async () => {
  lab = await startSecretsManager();
  command = new RotationCommand(lab);
});
afterAll(async () => {
  await command[Symbol.asyncDispose]();
  await lab.close();
});

describe('rotation', () => {
  it('explains itself and each subcommand with examples, and every exit code', async () => {
    const { exitCode, stdout } = await command.run(['--help']);
    expect(exitCode).toBe(0);
    for (const subcommand of SUBCOMMANDS) expect(stdout).toMatch(new RegExp(`^  ${subcommand} `, 'm'));
    for (const code of Object.values(EXIT)) expect(stdout).toMatch(new RegExp(`^  ${code}  `, 'm'));
    const helps = await Promise.all(SUBCOMMANDS.map((subcommand) => command.run([subcommand, '--help'])));
    for (const help of helps) {
      expect(help).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Examples:\n  $ ') });
      expect(help.stdout).toContain('--endpoint-url');
    }
  });

  it('has every option of every subcommand and every exit code on its page', async () => {
    const page = readFileSync(file('docs/rotation-command.md'), 'utf8');
    const helps = await Promise.all(SUBCOMMANDS.map((subcommand) => command.run([subcommand, '--help'])));
    const options = helps
      .flatMap(({ stdout }) => stdout.match(/^ {2}(?:-\w, )?--[a-z-]+/gm) ?? [])
      .map((text) => text.trim().replace(/^-\w, /, ''));
    const missing = [...new Set(options)].filter((option) => option !== '--help' && !page.includes(`\`${option}`));
    expect(missing).toEqual([]);
    for (const code of Object.values(EXIT)) expect(page).toMatch(new RegExp(`^\\| ${code} `, 'm'));
  });

  it('answers an error as JSON with --json, and its exit code', async () => {
    const { exitCode, answer } = await command.json(['status', 'no-such-secret']);
    expect(exitCode).toBe(1);
    expect(answer).toEqual({
      error: {
        code: 'ResourceNotFoundException',
        message: expect.stringContaining("Secrets Manager can't find the specified secret."),
        remedy: expect.any(String),
        exitCode: 1,
      },
    });
  });

  it.each([
    [['now', 'a', '--nonsense'], "unknown option '--nonsense'"],
    [['attach'], 'One of a secret, --all or --undo was needed'],
    [['attach', 'a', '--strategy', 'none'], /'none' is invalid/],
    [[], 'A subcommand was needed, found none.'],
  ])('answers %j, which makes no sense, as JSON and nothing else with --json', async (args, words) => {
    const { exitCode, stdout, stderr } = await command.run([...args, '--json']);
    expect({ exitCode, stderr, answer: JSON.parse(stdout) }).toEqual({
      exitCode: 2,
      stderr: '',
      answer: { error: { code: 'USAGE', message: expect.stringMatching(words), exitCode: 2 } },
    });
  });

  it('says that there are no credentials, and what to do', async () => {
    const nobody = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
    const { exitCode, stderr } = await command.run(['status', 'a'], { env: nobody });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining('Credentials of AWS were needed, but none were found'),
    });
  });

  it('takes the profile that --profile names', async () => {
    const { stderr } = await command.run(['status', 'a', '--profile', 'not-configured']);
    expect(stderr).toMatch(/there is no profile not-configured/);
  });
});

describe('the launcher', () => {
  it('runs the command on this Node.js', () => {
    const { status, stdout } = spawnSync(process.execPath, [LAUNCHER, '--version'], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${JSON.parse(readFileSync(file('package.json'), 'utf8')).version}\n`,
    });
  });

  const older = olderNode();
  it.skipIf(older === undefined)(
    'runs it on the Node.js that the project brings where the one at hand is older',
    () => {
      const { status, stderr } = spawnSync(older ?? '', [LAUNCHER, 'now'], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringContaining('One secret or --all was needed'),
      });
    },
  );
});

/** A Node.js on the machine that can't run TypeScript itself. */
function olderNode(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  const found = folders
    .map((folder) => join(folder, 'node'))
    .find(
      (node) => Number(/^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1]) < 24,
    );
  if (found === undefined) process.stdout.write('No Node.js before 24 is on the PATH: its test is skipped.\n');
  return found;
}
