/** Judges a schedule by the promises. */
import { differences } from '../../../shared/secret/copies.ts';
import { parseDatabaseSecret } from '../../../shared/secret/database-secret.ts';
import { idOf, type MemoryStage, nameOf } from './memory-stage.ts';
import { free, isFailure, type Play, type StepEnd } from './play.ts';
import type { Invariant } from './promises.ts';
import type { SecretName } from './scenario.ts';

/** What a moment looks like to whom a call is judged by. */
export interface Moment {
  /** By secret: the id of the version that has a label. */
  readonly current: Readonly<Record<SecretName, string | undefined>>;
  readonly previous: string | undefined;
  /** By role. */
  readonly passwords: ReadonlyMap<string, string>;
}

export interface Breach {
  readonly invariant: Invariant;
  readonly found: string;
}

const SECRETS: readonly SecretName[] = ['app', 'shop', 'admin'];

export function momentOf({ secrets, server }: MemoryStage): Moment {
  return {
    current: {
      app: secrets.app.with('AWSCURRENT'),
      shop: secrets.shop.with('AWSCURRENT'),
      admin: secrets.admin.with('AWSCURRENT'),
    },
    previous: secrets.app.with('AWSPREVIOUS'),
    passwords: new Map([...server.roles].map(([name, { password }]) => [name, password])),
  };
}

/** After one call. @param ends steps that have ended since `before`. */
export function breachesAfter(play: Play, stage: MemoryStage, before: Moment, ends: readonly StepEnd[]): Breach[] {
  const after = momentOf(stage);
  const choice = play.schedule.at(-1) ?? '';
  const byFunction =
    !choice.startsWith('operator') &&
    !/: (begins|takes AWSPENDING|cancels|moves|rolls|edits|stores|sets a password by hand)/.test(choice);
  return [
    ...storedBreaches(stage),
    ...twinBreaches(stage),
    ...ends.flatMap((end) => endBreaches(play, stage, end)),
    ...(byFunction ? changeBreaches(play, stage, before, after) : []),
  ];
}

const passwords = new Map<string, string>();

/** A value is parsed once, of the few that there are. */
function passwordIn(text: string): string {
  const known = passwords.get(text) ?? parseDatabaseSecret(text).password.reveal();
  passwords.set(text, known);
  return known;
}

function storedBreaches(stage: MemoryStage): Breach[] {
  const known = new Set<string>(stage.byHand);
  for (const secret of SECRETS) for (const text of stage.secrets[secret].texts()) known.add(passwordIn(text));
  return [...stage.server.roles].flatMap(([name, { password }]) =>
    known.has(password)
      ? []
      : breach(
          'every password that the database accepts is in a version of the secret',
          `${name} logs in with a password that is in no version`,
        ),
  );
}

/** A DBA's ALTER ROLE is what nobody can do anything about. */
function twinBreaches(stage: MemoryStage): Breach[] {
  if (stage.strategy !== 'alternating-users' || stage.byHand.length > 0) return [];
  return (['app', 'shop'] as const).flatMap((secret) =>
    stage.isAccepted(secret)
      ? []
      : breach('the AWSCURRENT of alternating users logs in at every moment', `that of ${secret} is refused`),
  );
}

/** Of the change whose answer got lost nobody knows that it was made. */
function endBreaches(play: Play, stage: MemoryStage, { actor, part, step, outcome }: StepEnd): Breach[] {
  if (outcome.startsWith('UNEXPECTED'))
    return breach('every error is one of ours', `${actor.name}'s ${step} failed with ${outcome}`);
  if (stage.strategy !== 'single-user' || step !== 'setSecret' || !isFailure(outcome)) return [];
  if (outcome === 'PASSWORD_NOT_PUT_BACK' || play.schedule.some((choice) => choice.endsWith('— lost'))) return [];
  const text = stage.secrets.app.textOf(idOf(part.token ?? 'T1'));
  const set = text === undefined ? undefined : parseDatabaseSecret(text);
  if (set === undefined || stage.server.passwordOf(set.username) !== set.password.reveal()) return [];
  const setter = play.schedule.findLast((choice) => /: (sets the new password|puts the password back)/.test(choice));
  if (setter !== `${actor.name}: sets the new password`) return [];
  const began = play.ends.filter((end) => end.actor === actor && end.step === 'setSecret').length;
  return began > 1
    ? []
    : breach(
        'a step that fails leaves no password of its own behind',
        `${actor.name}'s ${step} failed with ${outcome}, and its password stands`,
      );
}

function changeBreaches(play: Play, stage: MemoryStage, before: Moment, after: Moment): Breach[] {
  const choice = play.schedule.at(-1) ?? '';
  const part = play.scenario.parts.find(({ name }) => choice.startsWith(`${name}: `));
  const token = part?.token ?? 'T1';
  const isBack = choice.includes('puts the password back');
  const found: Breach[] = [];
  for (const [role, password] of after.passwords) {
    const former = before.passwords.get(role);
    if (former === undefined || former === password) continue;
    const previous = stage.secrets.app.textOf(before.previous ?? '');
    const isPrevious = previous !== undefined && passwordIn(previous) === password;
    if (isPrevious && !isBack && stage.loginOf('app')?.password.reveal() !== password)
      found.push(...breach('no password labelled AWSPREVIOUS returns', `${choice}: that of ${role}`));
    if (token === 'T1' && former.startsWith('app T2'))
      found.push(
        ...breach('a rotation that was replaced changes nothing any more', `${choice}: over the password of T2`),
      );
  }
  const [from, to] = [before.current.app, after.current.app];
  if (from !== to && to !== undefined) found.push(...promotionBreaches(play, stage, from ?? '', to, before));
  return found;
}

function promotionBreaches(play: Play, stage: MemoryStage, from: string, to: string, { previous }: Moment): Breach[] {
  const [old, promoted] = [from, to].map((id) => parseDatabaseSecret(stage.secrets.app.textOf(id)));
  if (old === undefined || promoted === undefined) return [];
  const found: Breach[] = [];
  const keys = differences(old, promoted);
  if (keys.length > 0)
    found.push(
      ...breach(
        "nobody's edit is undone",
        `${nameOf(to)} became AWSCURRENT after ${nameOf(from)}, without its ${keys}`,
      ),
    );
  if (previous === to)
    found.push(...breach('no password labelled AWSPREVIOUS returns', `${nameOf(to)} became AWSCURRENT again`));
  // Whoever gives a rotation up, or sets a password, may do so between the last look and the label's move.
  const isAlone = !play.scenario.parts.some(({ first = [] }) => first.length > 0);
  if (isAlone && !stage.isAccepted('app'))
    found.push(...breach('what is promoted logs in', `the server refuses ${nameOf(to)}, which became AWSCURRENT`));
  return found;
}

/**
 * Once nobody acts any more: what is not at rest is tried again by the service, and then the next rotation comes. Where a
 * person has moved labels, a rotation was given up half-way, and only the next one puts that right.
 */
export async function breachesAtEnd(play: Play, stage: MemoryStage): Promise<Breach[]> {
  const blocked = play.actors.filter((actor) => actor.isBlocked).map(({ name }) => name);
  if (!play.isOver && blocked.length > 0) return breach('nobody waits for ever', blocked.join(' and '));
  const miscounted = countBreaches(play, stage);
  if (miscounted.length > 0) return miscounted;
  if (isBeyondUs(play)) return [];
  const found: Breach[] = [];
  const secrets = play.scenario.shared ? (['admin', 'app', 'shop'] as const) : (['app'] as const);
  for (const secret of secrets) {
    const store = stage.secrets[secret];
    store.rotationEnabled = true;
    const pending = store.with('AWSPENDING');
    const failed = pending === undefined ? undefined : await play.rotate(free('again'), secret, nameOf(pending));
    const again = failed === undefined ? '' : `, and trying again failed with ${failed}`;
    if (!stage.isAccepted(secret) && !play.schedule.some((choice) => MOVES_LABELS.test(choice)))
      found.push(...breach('at the end AWSCURRENT logs in', `the server refuses that of ${secret}${again}`));
    store.label('AWSPENDING');
    await stage.begin(secret, 'T9');
    const next = await play.rotate(free('next'), secret, 'T9');
    if (next !== undefined)
      found.push(...breach('at the end the next rotation succeeds', `that of ${secret} failed with ${next}`));
    else if (!stage.isAccepted(secret))
      found.push(...breach('at the end AWSCURRENT logs in', `not that of ${secret} after the next rotation`));
  }
  return found;
}

/** Where no answer gets lost and nobody but functions moves labels: whoever has moved AWSCURRENT counts that. */
function countBreaches({ schedule, scenario, ends }: Play, stage: MemoryStage): Breach[] {
  const isBeyondCounting = scenario.parts.some(({ first = [] }) => first.length > 0) || scenario.lags === true;
  if (isBeyondCounting || schedule.some((choice) => choice.includes(' — '))) return [];
  const counted = ends.filter(({ part, counts }) => counts && (part.secret ?? 'app') === 'app').length;
  const moved = stage.secrets.app.with('AWSCURRENT') === idOf('T1') ? 1 : 0;
  return counted === moved ? [] : breach('a rotation is counted once', `${counted} times, of ${moved}`);
}

/** What a person does who gives a rotation up, or goes back to an earlier version. */
const MOVES_LABELS = /: (takes AWSPENDING off|moves AWSPENDING|rolls AWSCURRENT back)/;

/** A DBA's ALTER ROLE, between a proof and what it was made for: nobody can know of it. */
function isBeyondUs({ schedule, scenario }: Play): boolean {
  const byHand = schedule.findIndex((choice) => choice.endsWith(': sets a password by hand'));
  if (byHand < 0) return false;
  const later = schedule.slice(byHand);
  return (
    scenario.strategy === 'alternating-users' || later.some((choice) => choice.includes(': UpdateSecretVersionStage'))
  );
}

function breach(invariant: Invariant, found: string): Breach[] {
  return [{ invariant, found }];
}
