import { type Cell, table } from '../../shared/terminal/table.ts';
import { bold, dim, duration, green, plural, red, shortId } from '../../shared/terminal/text.ts';
import { stepLines } from '../lab/command/news.ts';
import type { RotationOutcome } from '../lab/rotate.ts';
import type { SecretHistory } from './secret-history.ts';

/** What the demo shows, and whether all of it was as it should be. */
export class Page {
  readonly #write: (text: string) => void;
  readonly #failed: string[] = [];
  #checks = 0;

  /** @param write gets one line, or several, without the last line break. */
  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  get checks(): number {
    return this.#checks;
  }

  /** What was checked and did not hold. */
  get failed(): readonly string[] {
    return this.#failed;
  }

  title(text: string): void {
    this.#write(`\n${bold(text)}\n${dim('─'.repeat(text.length))}\n`);
  }

  paragraph(...lines: string[]): void {
    this.#write(`${lines.join('\n')}\n`);
  }

  table(rows: readonly (readonly Cell[])[]): void {
    this.#write(`${indent(table(rows)).join('\n')}\n`);
  }

  /** A rotation, step by step, and what became of the secret's versions. */
  rotation(name: string, outcome: RotationOutcome, { before, after }: VersionChange): void {
    const { ms, apiCalls, steps } = outcome;
    this.#write(`${bold(name)}  ${dim(`${duration(ms)}, ${plural(apiCalls, 'call')} to Secrets Manager`)}`);
    this.#write(`${indent(steps.flatMap(stepLines)).join('\n')}\n`);
    this.versions({ before, after });
  }

  /** Labels before and after, by version, the oldest first. */
  versions({ before, after }: VersionChange): void {
    const ids = [...new Set([...before.keys(), ...after.keys()])];
    const labels = (history: SecretHistory, id: string) => history.get(id)?.labels.join(' ') || '–';
    const login = (id: string) => (after.get(id) ?? before.get(id))?.username ?? '';
    this.table([
      ['version', 'login', 'before', 'after'],
      ...ids.map((id) => [shortId(id), login(id), labels(before, id), labels(after, id)]),
    ]);
  }

  /** @param holds whether what the sentence says is so. @param found instead; shown where it is not. */
  check(sentence: string, holds: boolean, found = ''): void {
    this.#checks += 1;
    if (holds) {
      this.#write(`  ${green('✓')} ${sentence}`);
      return;
    }
    const text = found === '' ? sentence : `${sentence} (found: ${found})`;
    this.#failed.push(text);
    this.#write(`  ${red('✗')} ${text}`);
  }

  space(): void {
    this.#write('');
  }
}

export interface VersionChange {
  readonly before: SecretHistory;
  readonly after: SecretHistory;
}

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
