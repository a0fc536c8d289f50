/**
 * The record of a move of many secrets to another function, from which it can be undone: one JSON object a line. How all
 * of them were is written before the first is changed, so that whatever ends the command leaves a record that is whole.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { RotationRulesType } from '@aws-sdk/client-secrets-manager';
import { usage } from '../failures.ts';

/** What RotateSecret sets. */
export interface Attachment {
  readonly functionArn: string;
  readonly rules: RotationRulesType;
}

/** How one secret was, and what it is to be. */
export interface Move {
  readonly secretArn: string;
  readonly name: string;
  readonly before: Attachment;
  readonly after: Attachment;
}

const FORMAT = 'rotation attach --all';

export class MoveRecord {
  readonly path: string;

  /** @throws CommandError where the file is there already, or can't be written. */
  constructor(path: string, moves: readonly Move[]) {
    this.path = path;
    const lines = [{ record: FORMAT, version: 1, at: new Date() }, ...moves].map((line) => JSON.stringify(line));
    try {
      writeFileSync(path, `${lines.join('\n')}\n`, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      throw usage(
        `A new file for the record was needed, and ${path} can't be written (${codeOf(error)}).`,
        'Give --record.',
      );
    }
  }

  /** For whoever reads it: undoing goes by what the secrets are then. */
  note(secretArn: string, outcome: string): void {
    appendFileSync(this.path, `${JSON.stringify({ secretArn, outcome, at: new Date() })}\n`);
  }
}

/** @throws CommandError where it is no such record. */
export function readRecord(path: string): readonly Move[] {
  let lines: readonly unknown[];
  try {
    const text = readFileSync(path, 'utf8').trimEnd();
    lines = text.split('\n').map((line): unknown => JSON.parse(line));
  } catch (error) {
    throw usage(`The record of an attach --all was needed, and ${path} can't be read (${codeOf(error)}).`);
  }
  const [head, ...rest] = lines;
  if (!isObject(head) || head.record !== FORMAT || head.version !== 1) {
    throw usage(`The record of an attach --all was needed, and ${path} is none.`);
  }
  return rest.filter(isMove);
}

function codeOf(error: unknown): string {
  return error instanceof Error ? String(Reflect.get(error, 'code') ?? error.name) : 'unknown';
}

function isMove(line: unknown): line is Move {
  return (
    isObject(line) &&
    typeof line.secretArn === 'string' &&
    typeof line.name === 'string' &&
    isAttachment(line.before) &&
    isAttachment(line.after)
  );
}

function isAttachment(value: unknown): value is Attachment {
  return isObject(value) && typeof value.functionArn === 'string' && isObject(value.rules);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
