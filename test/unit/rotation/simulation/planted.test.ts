import { execFileSync } from 'node:child_process';
import { describe, expect, it, vi } from 'vitest';
import type { SecretStore } from '../../../../shared/rotation/ports.ts';
import { FakeServer, failure } from '../../../support/fake-server.ts';
import { type ExploreOptions, explore, Judged, replay, Violation } from '../../../support/simulation/explore.ts';
import { idOf, type MemoryStage } from '../../../support/simulation/memory-stage.ts';
import * as plants from '../../../support/simulation/plants.ts';
import { INVARIANTS, type Invariant } from '../../../support/simulation/promises.ts';
import { simulateTime } from '../../../support/simulation/run.ts';
import { isSoak, type SecretName } from '../../../support/simulation/scenario.ts';
import { scenarios } from '../../../support/simulation/scenarios.ts';

vi.mock('node:timers/promises', async () => ({
  setTimeout: (await import('../../../support/simulation/time.ts')).time.sleep,
}));
simulateTime();

function scenarioOf(name: string) {
  const found = scenarios(isSoak).find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`A scenario was needed that is called ${name}.`);
  return found;
}

/** Looks for what breaks one promise, though others may be broken before. */
async function violation(name: string, invariant: Invariant, options: ExploreOptions): Promise<Violation> {
  const others = INVARIANTS.filter((each) => each !== invariant);
  const scenario = { ...scenarioOf(name), exempt: { from: others, because: 'one promise is looked at' } };
  const thrown = await explore(scenario, options).catch((error: unknown) => error);
  if (thrown instanceof Violation) return thrown;
  throw thrown instanceof Error ? thrown : new Error('A violation was expected, and there was none.');
}

const NARROW = 'single-user: one attempt that gets no further with the new password';
const NARROW_BESIDE =
  'single-user: setSecret and finishSecret beside a setSecret that gets no further with the new password';
const LATE = 'single-user: a late setSecret of a rotation that was taken off, by another instance, beside a new one';

/** Happens as the next rotation moves AWSCURRENT. */
function afterwards({ secrets }: MemoryStage, secret: SecretName, act: () => Promise<void>): void {
  const store = secrets[secret].store.bind(secrets[secret]);
  secrets[secret].store = (token) => {
    const inner = store(token);
    const promotePending: SecretStore['promotePending'] = async (from) => {
      if (token === idOf('T9')) await act();
      return await inner.promotePending(from);
    };
    return { ...inner, promotePending };
  };
}

const PLANTED: readonly (readonly [Invariant, string, string, ExploreOptions])[] = [
  [
    'every password that the database accepts is in a version of the secret',
    'a password is set that was never stored',
    'single-user: two attempts of setSecret',
    { plant: plants.setsWhatNobodyStored },
  ],
  [
    'every password that the database accepts is in a version of the secret',
    'one is set that was never stored, of the superuser',
    'alternating-users: a rotation beside that of its superuser secret',
    { plant: plants.of('admin', plants.setsWhatNobodyStored) },
  ],
  [
    'the AWSCURRENT of alternating users logs in at every moment',
    "the other twin's password is set, of the second secret",
    'alternating-users: two rotations that share a superuser secret, beside its own setSecret',
    { plant: plants.of('shop', plants.changesTheOtherTwin) },
  ],
  [
    'the AWSCURRENT of alternating users logs in at every moment',
    "the other twin's password is set",
    'alternating-users: two attempts of setSecret',
    { plant: plants.changesTheOtherTwin },
  ],
  [
    'a step that fails leaves no password of its own behind',
    'there is no way back',
    NARROW,
    { plant: plants.hasNoWayBack },
  ],
  [
    "nobody's edit is undone",
    'the label is moved from wherever it is',
    'single-user: a person who edits a member of AWSCURRENT, beside a rotation',
    { plant: plants.movesTheLabelFromWhereverItIs },
  ],
  [
    'no password labelled AWSPREVIOUS returns',
    'setSecret does not see that the pending version is AWSPREVIOUS too',
    'single-user: a rotation to the version that is AWSPREVIOUS, beside a late one',
    { plant: plants.during('setSecret', plants.takesRetiredVersions) },
  ],
  [
    'no password labelled AWSPREVIOUS returns',
    'finishSecret moves AWSCURRENT back to it',
    'single-user: a rotation to the version that is AWSPREVIOUS, beside a late one',
    { plant: plants.during('finishSecret', plants.all(plants.takesRetiredVersions, plants.believesItHasTested('T0'))) },
  ],
  [
    'a rotation that was replaced changes nothing any more',
    'there is neither the lock nor the guard in the transaction',
    LATE,
    { plant: plants.all(plants.letsGoAtOnce, plants.asksNoGuard) },
  ],
  [
    'what is promoted logs in',
    'finishSecret takes it that somebody has tested',
    'single-user: a rotation beside finishSecret',
    { plant: plants.believesItHasTested('V1') },
  ],
  [
    'a rotation is counted once',
    'each setSecret says that it has moved the label',
    'single-user: moving AWSCURRENT early: two attempts of setSecret',
    { plant: plants.alwaysSaysItHasPromoted },
  ],
  [
    'a rotation is counted once',
    'whoever moves the label takes it that another one has',
    'single-user: a rotation beside finishSecret',
    { plant: plants.neverSaysItHasPromoted },
  ],
  [
    'nobody waits for ever',
    'the proof wants the lock that its own session has',
    'single-user: two attempts of setSecret',
    { plant: plants.locksTwice },
  ],
  [
    'every error is one of ours',
    'something throws an error of its own',
    'single-user: two attempts of createSecret',
    { plant: plants.throwsSomethingElse },
  ],
  [
    'every error is one of ours',
    'something does so where an answer gets lost',
    'single-user: two attempts of createSecret',
    { plant: plants.needsAnAnswer },
  ],
  [
    'at the end AWSCURRENT logs in',
    'the former password is put back without the lock and without a look at who has moved on',
    NARROW_BESIDE,
    { plant: plants.all(plants.letsGoAtOnce, plants.looksAtNobody) },
  ],
  [
    'at the end AWSCURRENT logs in',
    'the next rotation sets another password',
    'single-user: two attempts of testSecret',
    { prepare: (stage) => afterwards(stage, 'app', () => stage.server.setByHand('app', 'another')) },
  ],
  [
    'at the end the next rotation succeeds',
    'that of the second secret fails',
    'alternating-users: a rotation beside that of its superuser secret',
    { prepare: (stage) => afterwards(stage, 'shop', () => Promise.reject(failure('SECRETS_MANAGER_FAILED'))) },
  ],
  [
    'at the end the next rotation succeeds',
    'a twin is made by halves',
    'alternating-users: two attempts of setSecret',
    {
      prepare: ({ server }) => {
        server.role = (name, password) => FakeServer.prototype.role.call(server, name, password) as FakeServer;
      },
    },
  ],
];

describe('a promise is seen to be broken', () => {
  it.each(PLANTED)('%s: where %s', { timeout: 60_000 }, async (invariant, _, name, options) => {
    const { breaches } = await violation(name, invariant, options);
    expect(breaches.map((breach) => breach.invariant)).toContain(invariant);
  });

  it('of each kind that there is', () => {
    expect(new Set(PLANTED.map(([invariant]) => invariant))).toEqual(new Set(INVARIANTS));
  });
});

describe('a search', () => {
  it('comes by each schedule that there is', { timeout: 60_000 }, async () => {
    const scenario = { ...scenarioOf('single-user: two attempts of createSecret'), faults: 0, lags: false };
    const count = async (prefix: readonly string[]): Promise<number> => {
      const { play } = await Judged.begin(scenario);
      for (const choice of prefix) await play.take(choice);
      let schedules = play.choices().length === 0 ? 1 : 0;
      for (const choice of play.choices()) schedules += await count([...prefix, choice]);
      return schedules;
    };
    expect((await explore(scenario)).schedules).toBe(BigInt(await count([])));
  });

  it.each<[string, (stage: MemoryStage) => void]>([
    ["a role's password", ({ server }) => void server.role('app', 'another')],
    ['a label', ({ secrets }) => secrets.app.label('AWSPENDING')],
    ['a value', ({ secrets }) => void secrets.app.put(idOf('T1'), '{}')],
    ['whether it rotates', ({ secrets }) => secrets.app.disable()],
    ['the second secret', ({ secrets }) => secrets.shop.label('AWSPENDING', idOf('V1'))],
    ['the superuser secret', ({ secrets }) => secrets.admin.label('AWSPENDING', idOf('V1'))],
  ])('tells states apart by %s', async (_, change) => {
    const begin = () => Judged.begin(scenarioOf('alternating-users: two attempts of createSecret'));
    const [one, other] = [await begin(), await begin()];
    expect(other.key()).toBe(one.key());
    change(other.stage);
    expect(other.key()).not.toBe(one.key());
  });
});

describe('a state that was come to in two ways', () => {
  it.each([
    'single-user: two attempts of createSecret',
    'alternating-users: two attempts of createSecret',
  ])('is looked at once, and nothing is lost by it: %s', { timeout: 60_000 }, async (name) => {
    // Without, there would be as many plays as schedules.
    const scenario = { ...scenarioOf(name), faults: 0, lags: false };
    const once = await explore(scenario);
    const each = await explore(scenario, { visitsEach: true });
    expect(each.plays).toBe(Number(once.schedules));
    expect(each.plays).toBeGreaterThan(once.plays);
    expect(new Set(each.endStates)).toEqual(new Set(once.endStates));
  });
});

describe('a call', () => {
  /** Of all that an actor asks for on its own, in which ways each may go wrong. */
  async function faultsOf(name: string, who: string): Promise<Map<string, string[]>> {
    const { play } = await Judged.begin(scenarioOf(name));
    const found = new Map<string, string[]>();
    for (;;) {
      const choices = play.choices().filter((choice) => choice.startsWith(`${who}: `));
      const [next] = choices.filter((choice) => !choice.includes(' — '));
      if (next === undefined) return found;
      const faults = choices.flatMap((choice) => (choice.startsWith(`${next} — `) ? choice.split(' — ').slice(1) : []));
      found.set(next.slice(who.length + 2), faults);
      await play.take(next);
    }
  }

  const READS = ['refused', 'killed'];
  const LAGGING = [...READS, 'stale'];
  const WRITES = ['refused', 'lost', 'killed', 'killed after'];
  const SINGLE_USER = {
    'GetSecretValue AWSCURRENT': READS,
    'locks its role': READS,
    'takes the row of its role': READS,
    'sets the new password': WRITES,
    'logs in as app with pending': READS,
    'takes the row again': READS,
    'puts the password back': WRITES,
    'lets go of the lock': WRITES,
  };
  const TWINS = {
    'logs in as admin with superuser': READS,
    'locks the twins': READS,
    'takes the row of a twin': READS,
    "sets the twin's password": WRITES,
    'lets go of the lock': WRITES,
  };

  it.each<[string, string, Record<string, string[]>]>([
    ['single-user: two attempts of createSecret', 'A', { DescribeSecret: LAGGING, PutSecretValue: WRITES }],
    [NARROW, 'A', SINGLE_USER],
    ['alternating-users: two attempts of setSecret', 'B', TWINS],
    [
      'single-user: two attempts of finishSecret',
      'B',
      { 'GetSecretValue AWSCURRENT': LAGGING, UpdateSecretVersionStage: WRITES },
    ],
  ])('may go wrong in each way that there is: %s, %s', async (name, who, expected) => {
    expect(Object.fromEntries(await faultsOf(name, who))).toMatchObject(expected);
  });

  const STORING = [
    'A: GetSecretValue AWSCURRENT',
    'A: DescribeSecret',
    'A: logs in as app with current',
    'A: examines itself',
  ];

  it.each([
    ['is refused', 'refused', false, ['SECRETS_MANAGER_FAILED']],
    ['gets no answer', 'lost', true, ['SECRETS_MANAGER_TIMEOUT']],
    ['is the last of an instance, and never sent', 'killed', false, []],
    ['is the last of an instance', 'killed after', true, []],
  ])('that %s', async (_, fault, isStored, ends) => {
    const scenario = scenarioOf('single-user: two attempts of createSecret');
    const { play, stage } = await replay(scenario, [...STORING, `A: PutSecretValue — ${fault}`]);
    expect(stage.secrets.app.texts()).toHaveLength(isStored ? 2 : 1);
    expect(play.ends.map(({ outcome }) => outcome)).toEqual(ends);
    // Nothing else goes wrong, and whoever has ended asks for nothing more.
    expect(play.choices().filter((choice) => !choice.startsWith('B: ') || choice.includes(' — '))).toEqual([]);
  });

  it('that reads may be answered with what was there before the last change', async () => {
    const scenario = scenarioOf('single-user: two attempts of createSecret');
    const others = STORING.map((choice) => choice.replace('A', 'B'));
    const until = [...STORING, ...others, 'A: PutSecretValue', 'B: PutSecretValue'];
    const read = 'B: GetSecretValue T1 AWSPENDING';
    const { play: inTime } = await replay(scenario, [...until, read]);
    expect(inTime.ends.map(({ outcome }) => outcome)).toEqual(['done', 'already-done']);
    const { play: stale } = await replay(scenario, [...until, `${read} — stale`]);
    expect(stale.choices()).toEqual([read]);
  });

  /** Lets an actor go on, undisturbed, until it may make that call, or to its end. */
  async function goOn({ play }: Judged, who: string, until?: string): Promise<void> {
    const isRegular = (choice: string) => choice.startsWith(`${who}: `) && !choice.includes(' — ');
    for (let next = play.choices().find(isRegular); next !== undefined; next = play.choices().find(isRegular)) {
      if (next === `${who}: ${until}`) return;
      await play.take(next);
    }
  }

  it('whose answer gets lost is the last of its session', async () => {
    const judged = await Judged.begin(scenarioOf(NARROW));
    await goOn(judged, 'A', 'puts the password back');
    await judged.take('A: puts the password back — lost');
    await goOn(judged, 'A');
    expect(judged.play.ends.map(({ outcome }) => outcome)).toEqual(['PASSWORD_PUT_BACK']);
    expect(judged.play.schedule).not.toContain('A: lets go of the lock');
  });

  it('may go wrong as often as a scenario says', async () => {
    const judged = await Judged.begin(scenarioOf('single-user: moving AWSCURRENT early: one attempt'));
    const canFail = () => judged.play.choices().some((choice) => choice.includes(' — '));
    for (const call of ['sets the new password', 'UpdateSecretVersionStage']) {
      expect(canFail()).toBe(true);
      await goOn(judged, 'A', call);
      await judged.take(`A: ${call} — lost`);
    }
    expect(judged.play.choices()).not.toEqual([]);
    expect(canFail()).toBe(false);
  });

  it('that waits for a lock may be the last one too', async () => {
    const judged = await Judged.begin(scenarioOf('single-user: two attempts of setSecret'));
    for (const who of ['A', 'B']) {
      await goOn(judged, who, 'locks its role');
      await judged.take(`${who}: locks its role`);
    }
    expect(judged.play.choices()).toContain('B: waits — killed');
    await judged.take('B: waits — killed');
    await goOn(judged, 'A');
    expect(judged.play.ends.map(({ actor, outcome }) => [actor.name, outcome])).toEqual([['A', 'done']]);
    await judged.end();
  });

  it('that is waited for only so long may come too late', async () => {
    const judged = await Judged.begin(scenarioOf(NARROW));
    await goOn(judged, 'A', 'takes the row again');
    await judged.take('A: takes the row again');
    expect(judged.play.choices()).not.toContain('A: puts the password back');
    await judged.take('A: waits for what it looks at — late');
    expect(judged.play.choices()).toEqual(expect.arrayContaining(['A: DescribeSecret', 'A: puts the password back']));
  });

  it('is not made by the instance that remembers its answer', async () => {
    const { play } = await Judged.begin(scenarioOf('single-user: two attempts of testSecret'));
    expect(play.ends.map(({ actor, outcome }) => [actor.name, outcome])).toEqual([['A', 'done']]);
    expect(play.choices()).toContain('B: DescribeSecret');
  });
});

describe('a violation', () => {
  it('prints its schedule as a list, and replays', async () => {
    const options = { plant: plants.hasNoWayBack };
    const found = await violation(NARROW, 'a step that fails leaves no password of its own behind', options);
    expect(found.message).toMatch(/^ {3}1\. A: /m);
    expect(found.message).toContain('A: sets the new password\n');
    await expect(replay(scenarioOf(NARROW), found.schedule, options)).rejects.toThrow(Violation);
    await expect(replay(scenarioOf(NARROW), found.schedule)).rejects.not.toThrow(Violation);
  });

  it('prints a command that a shell takes for what it is', async () => {
    const name = 'alternating-users: two attempts of setSecret';
    const promise = 'the AWSCURRENT of alternating users logs in at every moment';
    const found = await violation(name, promise, { plant: plants.changesTheOtherTwin });
    expect(found.schedule.at(-1)).toBe("A: sets the twin's password");
    const [, variable] = /^Replay: (.*) npm run test:unit/m.exec(found.message) ?? [];
    const said = execFileSync('sh', ['-c', `${variable} printenv SIMULATION`], { encoding: 'utf8' });
    expect(JSON.parse(said)).toEqual([name, ...found.schedule]);
  });

  it('is replayed from the environment', { skip: process.env.SIMULATION === undefined }, async () => {
    const [name, ...schedule]: string[] = JSON.parse(process.env.SIMULATION ?? '[]');
    await replay(scenarioOf(name ?? ''), schedule);
  });
});
