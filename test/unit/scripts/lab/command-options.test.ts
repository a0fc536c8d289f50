import { describe, expect, it } from 'vitest';
import { HelpWanted, UsageError } from '../../../../scripts/lab/command/command-line.ts';
import { parseLabCommand } from '../../../../scripts/lab/command/options.ts';
import { needsTls } from '../../../../scripts/lab/lab.ts';

describe('the options of npm run lab', () => {
  it('have defaults that need nothing but npm', () => {
    expect(parseLabCommand([])).toEqual({
      port: 0,
      postgres: 'embedded',
      seed: true,
      redshift: false,
      timeScale: 1,
      json: false,
    });
  });

  it('are read', () => {
    expect(
      parseLabCommand([
        '--port=4566',
        '--postgres',
        'container',
        '--no-seed',
        '--redshift',
        '--time-scale',
        '0.5',
        '--json',
      ]),
    ).toEqual({ port: 4566, postgres: 'container', seed: false, redshift: true, timeScale: 0.5, json: true });
  });

  it('take the password of a URL from PGPASSWORD, unless the URL has one', () => {
    const environment = { PGPASSWORD: 'p@ss/word' };
    const given = (url: string) => new URL(parseLabCommand(['--postgres', url], environment).postgres);
    expect(decodeURIComponent(given('postgres://admin@db/app').password)).toBe('p@ss/word');
    expect(given('postgresql://admin:own@db').password).toBe('own');
  });

  it.each([
    [['--port', 'http']],
    [['--port', '80.5']],
    [['--port', '']],
    [['--time-scale', '-1']],
    [['--postgres', 'docker']],
    [['--postgres', 'https://admin@db']],
    [['--postgres', 'postgres://db']],
    [['--postgres']],
    [['--redshift', '--postgres', 'postgres://admin@db']],
    [['--json=yes']],
    [['extra']],
  ])('are refused in a sentence: %j', (args) => {
    const parse = () => parseLabCommand(args);
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(/^[^\n]+\.$/);
  });

  it.each([
    [['--postgress=postgres://admin:hush-hush@db'], "Unknown option '--postgress'."],
    [['postgres://admin:hush-hush@db'], 'No more than 0 arguments were needed, found 1.'],
  ])('do not repeat what may hold a password: %j', (args, sentence) => {
    expect(() => parseLabCommand(args)).toThrow(new UsageError(sentence));
  });

  it('are told where they are asked for', () => {
    expect(() => parseLabCommand(['--help'])).toThrow(HelpWanted);
  });
});

describe('TLS to a server that is given by its URL', () => {
  it.each([
    ['embedded', false],
    ['postgres://admin@localhost', false],
    ['postgres://admin@127.0.0.1:5433', false],
    ['postgres://admin@[::1]', false],
    ['postgres://admin@localhost?sslmode=require', true],
    ['postgres://admin@db.example.com', true],
    ['postgres://admin@127.0.0.1.example.com', true],
    ['postgres://admin@db.example.com?sslmode=disable', false],
  ])('%s: %s', (postgres, expected) => {
    expect(needsTls(postgres)).toBe(expected);
  });
});
