import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../../../scripts/bench/options.ts';
import { HelpWanted } from '../../../../scripts/lab/command/command-line.ts';

describe('options of npm run bench', () => {
  it('measure rotations of both strategies on an embedded server, with TLS and without, unless told otherwise', () => {
    expect(parseOptions([])).toMatchObject({
      command: 'rotation',
      strategies: ['single-user', 'alternating-users'],
      tls: [false, true],
      postgres: 'embedded',
      rotations: undefined,
      json: false,
    });
  });

  it('take a command and its values', () => {
    expect(
      parseOptions(['fleet', '--secrets', '20', '--concurrency', '5,10', '--quota', '0.5', '--price', 'secret=0.3']),
    ).toMatchObject({ command: 'fleet', secrets: 20, concurrency: [5, 10], quota: 0.5, prices: { secret: 0.3 } });
  });

  it('find libraries for applications in a folder, by default this one', () => {
    expect(parseOptions(['clients'])).toMatchObject({ command: 'clients', packages: process.cwd() });
    expect(parseOptions(['clients', '--packages', '/opt/others'])).toMatchObject({ packages: '/opt/others' });
  });

  it("leave TLS off on a server given by its URL, unless they say who signed the server's certificate", () => {
    const url = 'postgres://postgres:x@127.0.0.1:5432';
    expect(parseOptions(['--postgres', url])).toMatchObject({ tls: [false] });
    expect(parseOptions(['--postgres', url, '--ca-file', 'ca.pem'])).toMatchObject({ tls: [false, true] });
  });

  it("take from the shell who calls another Secrets Manager, and nobody for the lab's", () => {
    const shell = { AWS_ACCESS_KEY_ID: 'me', AWS_SECRET_ACCESS_KEY: 'mine', AWS_DEFAULT_REGION: 'eu-west-1' };
    expect(parseOptions([], shell)).toMatchObject({ caller: undefined });
    expect(parseOptions(['--endpoint-url', 'http://127.0.0.1:5000'], shell)).toMatchObject({
      caller: { accessKeyId: 'me', secretAccessKey: 'mine', region: 'eu-west-1' },
    });
    expect(parseOptions(['--endpoint-url', 'http://127.0.0.1:5000'])).toMatchObject({ caller: undefined });
  });

  it.each([
    [['colour'], 'A benchmark was needed'],
    [['--strategy', 'multi'], '--strategy needs'],
    [['--tls', 'maybe'], '--tls needs'],
    [['-n', '0'], '--rotations needs'],
    [['-n', 'many'], '--rotations needs'],
    [['fleet', '--concurrency', '5,'], '--concurrency needs'],
    [['fleet', '--quota', '2'], '--quota needs'],
    [['fleet', '--price', 'secret'], '--price needs'],
    [['fleet', '--price', 'lunch=1'], '--price needs'],
    [['--colour'], "Unknown option '--colour'"],
  ])('%j are refused in a sentence', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });

  it('choose the function that stdio serves, by the words of {scheme} too', () => {
    const stdio = (word: string) => parseOptions(['stdio', '--strategy', word]);
    expect(stdio('multi')).toEqual({ command: 'stdio', strategy: 'alternating-users' });
    expect(stdio('single-user')).toEqual({ command: 'stdio', strategy: 'single-user' });
  });

  it('ask for help', () => {
    expect(() => parseOptions(['--help'])).toThrow(HelpWanted);
  });
});

const BENCH = fileURLToPath(new URL('../../../../scripts/bench.ts', import.meta.url));

it.each([
  [
    ['nonsense'],
    'A benchmark was needed (rotation, cold, scale, fleet, clients, plots, start or stdio), found "nonsense".',
  ],
  [['stdio'], '--strategy single-user or alternating-users is needed.'],
])('npm run bench -- %j says what it needs, without a stack trace, and exits with 2', (args, message) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({
    status: 2,
    stdout: '',
    stderr: `${message}\n\`npm run bench -- --help\` lists the options.\n`,
  });
});
