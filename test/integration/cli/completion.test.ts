/** Completion where it is used: the Tab key in the shells themselves, on a terminal, with the names of a lab's secrets. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateSecretCommand, DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operator } from '../../support/operator.ts';
import { RunningCommand } from '../../support/running-command.ts';
import { toolIsHere } from '../../support/tools.ts';

const { account, command } = await operator();
const ROTATION = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));

let name = '';
/** With all that a shell might take for the end of a word; how much of it is typed, and behind what. */
const ODD = [
  { verb: 'status', typed: 'status/team+sh', rest: 'op@eu=main.1' },
  { verb: 'doctor', typed: 'doctor/team+shop@e', rest: 'u=main.1' },
  { verb: 'rollback', typed: 'rollback/team+shop@eu=', rest: 'main.1' },
] as const;
let folder = '';
beforeAll(async () => {
  const secret = await account.store({ strategy: 'single-user' }, '{}');
  name = (await account.client.send(new DescribeSecretCommand({ SecretId: secret.arn }))).Name ?? '';
  for (const { typed, rest } of ODD)
    await account.client.send(new CreateSecretCommand({ Name: typed + rest, SecretString: '{}' }));
  folder = await mkdtemp(join(tmpdir(), 'completion-'));
  // Whatever is not for the shell only tells that it was run.
  const rotation = `#!/bin/sh
case "$1" in
  __complete | completion) exec '${process.execPath}' '${ROTATION}' "$@" ;;
  *) echo "ran: $*" ;;
esac
`;
  await writeFile(join(folder, 'rotation'), rotation, { mode: 0o755 });
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

it('is asked for commands, options, their choices and names of secrets', async () => {
  const complete = async (...words: string[]) =>
    (await command.run(['__complete', '--', ...words], { before: true })).stdout;
  expect(await complete('rollb')).toBe('rollback\n');
  expect(await complete('status', '--un')).toBe('--unwell\n');
  expect(await complete('code', name, '--lang', 'p')).toBe('python\n');
  expect(await complete('completion', 'f')).toBe('fish\n');
  expect(await complete('doctor', name.slice(0, 12))).toBe(`${name}\n`);
  expect(await complete('run', name, '--', 'l')).toBe('');
}, 120_000);

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

/** How each is started without its user's settings, and told of rotation's completion as its help says. */
const SHELLS: readonly (readonly [shell: string, start: string, setUp: string])[] = [
  ['bash', 'bash --norc --noprofile -i', `eval "$(rotation completion bash)"; PS1='rea''dy> '`],
  ['zsh', 'zsh -f -i', `autoload -Uz compinit; compinit -u -D; eval "$(rotation completion zsh)"; PROMPT='rea''dy> '`],
  ['fish', 'fish --no-config -i', `rotation completion fish | source; function fish_prompt; echo -n 'rea''dy> '; end`],
];

describe.skipIf(!hasTerminal).each(SHELLS)('in %s', (shell, start, setUp) => {
  const isHere = toolIsHere(shell, [shell, '--version'], 'REQUIRE_SHELLS');

  it.skipIf(!isHere)(
    'Tab completes a command and the name of a secret',
    async () => {
      const child: ChildProcessWithoutNullStreams = spawn(
        'script',
        ['-qec', `stty cols 200; exec ${start}`, '/dev/null'],
        {
          env: {
            PATH: `${folder}:${process.env.PATH}`,
            HOME: folder,
            TERM: 'xterm',
            AWS_ACCESS_KEY_ID: 'test',
            AWS_SECRET_ACCESS_KEY: 'test',
            AWS_REGION: 'us-east-1',
            AWS_ENDPOINT_URL: account.lab.endpoint,
          },
        },
      );
      const terminal = new RunningCommand(child);
      try {
        terminal.type(`${setUp}\n`);
        await terminal.says('ready> ');
        terminal.type('rotation doct\t');
        await terminal.says('doctor');
        terminal.type(`${name.slice(0, 12)}\t`);
        await terminal.says(name);
        terminal.type('\n');
        await terminal.says(new RegExp(`ran: doctor ${name}\\s`));
        for (const { verb, typed, rest } of ODD) {
          // Fish takes what comes behind = for another word, and completes that as a file.
          if (shell === 'fish' && typed.endsWith('=')) continue;
          // With a colon on the line before it.
          const line = `${verb} --endpoint-url ${account.lab.endpoint}`;
          terminal.type(`rotation ${line} ${typed}\t`);
          await terminal.says(typed + rest);
          terminal.type('\n');
          await terminal.says(`ran: ${line} ${typed}${rest}`);
        }
        terminal.type('exit\n');
        await terminal.ended();
      } finally {
        if (child.exitCode === null) child.kill('SIGKILL');
      }
    },
    120_000,
  );
});
