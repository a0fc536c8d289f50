import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, it, vi } from 'vitest';
import { Spinner } from '../../../shared/terminal/spinner.ts';

// Whatever terminal the tests are run on.
vi.stubEnv('TERM', 'xterm');

/** What a terminal of so many columns got; 0: one that does not know its width. */
function terminal(columns: number, isTTY = true) {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY, columns });
  return { stream, written: () => String(stream.read() ?? '') };
}

it('shows what is waited for, and leaves an empty line and the cursor behind', () => {
  const { stream, written } = terminal(80);
  const spinner = new Spinner(stream);
  spinner.show('looking …');
  expect(stripVTControlCharacters(written())).toBe('\r⠋ looking …');
  spinner.show(undefined);
  expect(written()).toBe('\r\u001B[K\u001B[?25h');
});

it('is out of the way while something else is written, and back afterwards', () => {
  const { stream, written } = terminal(80);
  const spinner = new Spinner(stream);
  spinner.show('looking …');
  written();
  spinner.aside(() => void stream.write('found\n'));
  expect(stripVTControlCharacters(written())).toMatch(/^\rfound\n\r. looking …$/);
  spinner.show(undefined);
});

it('never fills a line, which the terminal would break', () => {
  const { stream, written } = terminal(20);
  const spinner = new Spinner(stream);
  spinner.show('日本語日本語日本語日本語');
  expect(stripVTControlCharacters(written())).toBe('\r⠋ 日本語日本語日本…');
  spinner.show(undefined);
});

it.each([
  ['no terminal', terminal(80, false)],
  ['a terminal that does not know its width', terminal(0)],
])('writes nothing of its own on %s', (_, { stream, written }) => {
  const spinner = new Spinner(stream);
  spinner.show('looking …');
  spinner.aside(() => void stream.write('found\n'));
  spinner.show(undefined);
  expect(written()).toBe('found\n');
});
