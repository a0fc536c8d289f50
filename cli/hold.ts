/** Why somebody keeps a secret from being rotated: tags of the secret, that everybody who asks sees. Pure. */
import type { Tag } from '@aws-sdk/client-secrets-manager';
import { type CommandError, refused, usage } from './failures.ts';

export const HOLD_TAGS = { paused: 'rotation:paused', detached: 'rotation:detached', by: 'rotation:held-by' } as const;

export interface Hold {
  readonly kind: 'paused' | 'detached';
  readonly reason: string;
  /** Who held it, and when, such as `alice 2026-01-31`. */
  readonly by: string | undefined;
}

interface Held {
  readonly Tags?: readonly Tag[] | undefined;
  readonly RotationEnabled?: boolean | undefined;
}

/** @returns undefined where nobody holds it. Whoever turned its rotation on since has ended the hold. */
export function holdOf({ Tags = [], RotationEnabled }: Held): Hold | undefined {
  if (RotationEnabled === true) return undefined;
  const value = (key: string) => Tags.find(({ Key }) => Key === key)?.Value;
  const by = value(HOLD_TAGS.by);
  for (const kind of ['detached', 'paused'] as const) {
    const reason = value(HOLD_TAGS[kind]);
    if (reason !== undefined) return { kind, reason, by };
  }
  return undefined;
}

/** The tags of a hold that a secret has, ended or not. */
export function holdTagsOf({ Tags = [] }: Pick<Held, 'Tags'>): string[] {
  const keys: readonly string[] = Object.values(HOLD_TAGS);
  return Tags.flatMap(({ Key }) => (Key !== undefined && keys.includes(Key) ? [Key] : []));
}

/** What `rotation now` says of a secret that is held, `--turn-on` or not. @throws CommandError where it is. */
export function refuseHeld(secret: Held & { readonly Name: string }): void {
  const hold = holdOf(secret);
  if (hold !== undefined) throw heldError(secret.Name, hold);
}

function heldError(name: string, { kind, reason, by }: Hold): CommandError {
  const who = by === undefined ? '' : ` by ${by}`;
  return refused(
    kind === 'paused' ? 'PAUSED' : 'DETACHED',
    `${name} must be neither paused nor detached to be rotated, and it was ${kind}${who}: ${reason.replace(/\.$/, '')}.`,
    kind === 'paused' ? `When the reason is gone: rotation resume ${name}` : `Attach it: rotation attach ${name}`,
  );
}

/** What AWS takes as the value of a tag. @throws CommandError where it is more or other than that. */
export function parseReason(text: string): string {
  const reason = text.trim();
  if (reason !== '' && reason.length <= 256 && /^[\p{L}\p{N}\p{Z}_.:/=+\-@]*$/u.test(reason)) return reason;
  throw usage(
    '--reason takes 1 to 256 letters, digits, spaces and _ . : / = + - @, as the values of tags do.',
    "Such as --reason 'migration to PostgreSQL 18 until 2026-02-01'",
  );
}
