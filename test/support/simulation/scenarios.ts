/** What is played in every interleaving. */
import { STEPS, type Step } from '../../../shared/rotation/event.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
import type { Invariant } from './promises.ts';
import type { Deed, Part, Scenario } from './scenario.ts';

const STRATEGIES: readonly StrategyName[] = ['single-user', 'alternating-users'];

/** What a person may do to a rotation beside it, each deed at every point. */
const PERSONS: readonly (readonly Deed[])[] = [
  ['edits a member of AWSCURRENT'],
  ['stores AWSCURRENT once more'],
  ['cancels the rotation'],
  ['takes AWSPENDING off'],
  ['takes AWSPENDING off', 'moves AWSPENDING to T1'],
  ['moves AWSPENDING to the version that is AWSPREVIOUS'],
  ['rolls AWSCURRENT back'],
  ['takes AWSPENDING off', 'sets a password by hand', 'stores the password set by hand'],
];

/** What each scenario begins with: the steps before one. */
const before = (step: Step): readonly Step[] => STEPS.slice(0, STEPS.indexOf(step));
const part = (name: string, steps: readonly Step[], more: Partial<Part> = {}): Part => ({ name, steps, ...more });
const operator = (first: readonly Deed[]): Part => ({ name: 'operator', first });

/** Two attempts of the same step and token on two instances. */
function attempts(strategy: StrategyName, isSoak: boolean): Scenario[] {
  return [
    ...STEPS.map((step) => ({
      name: `two attempts of ${step}`,
      strategy,
      before: before(step),
      parts: [part('A', [step], { remembers: true }), part('B', [step])],
      faults: 1,
      lags: step !== 'setSecret' || isSoak,
    })),
    {
      name: 'two attempts of a rotation',
      strategy,
      parts: [part('A', STEPS), part('B', STEPS)],
      faults: isSoak ? 1 : 0,
    },
    ...(strategy === 'single-user'
      ? [
          {
            name: 'two attempts of setSecret, of which one gets no further with the new password',
            strategy,
            before: before('setSecret'),
            parts: [part('A', ['setSecret'], { narrow: true }), part('B', ['setSecret'])],
            faults: isSoak ? 1 : 0,
          },
          {
            name: 'setSecret and finishSecret beside a setSecret that gets no further with the new password',
            strategy,
            before: before('setSecret'),
            parts: [part('A', ['setSecret'], { narrow: true }), part('B', ['setSecret', 'finishSecret'])],
            faults: isSoak ? 1 : 0,
          },
          {
            name: 'one attempt that gets no further with the new password',
            strategy,
            before: before('setSecret'),
            parts: [part('A', ['setSecret'], { narrow: true })],
            faults: 2,
          },
        ]
      : []),
  ];
}

/** Steps of one rotation duplicated and out of order. */
function disorder(strategy: StrategyName, isSoak: boolean): Scenario[] {
  const early: readonly (readonly Step[])[] = [
    ['finishSecret'],
    ['testSecret', 'finishSecret'],
    ['setSecret', 'finishSecret'],
    ['finishSecret', 'testSecret', 'setSecret', 'createSecret'],
    ['setSecret', 'setSecret'],
  ];
  return early.map((steps) => ({
    name: `a rotation beside ${steps.join(', ')}`,
    strategy,
    before: ['createSecret'],
    parts: [part('A', STEPS, { goesOn: true }), part('B', steps, { goesOn: true })],
    faults: isSoak ? 1 : 0,
  }));
}

/** An abandoned rotation's late step beside a new rotation's steps. */
function abandoned(strategy: StrategyName, isSoak: boolean): Scenario[] {
  const ways: readonly (readonly [string, readonly Deed[], Partial<Part>])[] = [
    ['taken off', ['takes AWSPENDING off', 'begins T2'], {}],
    ['cancelled and taken off', ['cancels the rotation', 'takes AWSPENDING off', 'begins T2'], {}],
    ['replaced', ['begins T2'], {}],
    ...(strategy === 'single-user'
      ? ([['taken off, of which it gets no further', ['takes AWSPENDING off', 'begins T2'], { narrow: true }]] as const)
      : []),
  ];
  return ways.flatMap(([how, first, more]) =>
    STEPS.flatMap((step) =>
      // Whoever was to begin has nothing to remember.
      (step === 'createSecret' ? [false] : [true, false]).map((remembers) => ({
        name: `a late ${step} of a rotation that was ${how}, ${remembers ? 'by the instance that began it' : 'by another instance'}, beside a new one`,
        strategy,
        before: before(step),
        parts: [part('A', [step], { ...more, remembers }), part('B', STEPS, { first, token: 'T2' })],
        faults: isSoak ? 1 : 0,
        // Of the late one alone it is what there is time for.
        ...(step === 'setSecret' && how === 'taken off' && !remembers && !isSoak ? { faults: 1, faultsOf: 'A' } : {}),
        ...(step === 'finishSecret' && strategy === 'alternating-users' ? { exempt: PROMOTED_LATE } : {}),
      })),
    ),
  );
}

/** Until the rotation under way goes on, or is tried again: then it sets AWSCURRENT's password. */
const LOCKED_OUT: readonly Invariant[] = ['the AWSCURRENT of alternating users logs in at every moment'];
const PROMOTED_LATE = {
  from: LOCKED_OUT,
  because:
    'until the next attempt: between the last DescribeSecret of a finishSecret and its UpdateSecretVersionStage the rotation is given up, and another one sets a password of the same twin: the service has no call that moves AWSCURRENT only if AWSPENDING is still there',
};
const ROLLED_BACK = {
  from: LOCKED_OUT,
  because:
    'until the next step: AWSCURRENT is moved by hand to a version whose password the rotation under way has just replaced',
};

/** Each deed of a person's at every point of a rotation, of which one call may go wrong. */
function persons(strategy: StrategyName, isSoak: boolean): Scenario[] {
  const all = PERSONS.flatMap((deeds) => [
    {
      name: `a person who ${deeds.join(', ')}, beside a rotation`,
      strategy,
      second: true,
      parts: [part('A', STEPS), operator(deeds)],
      faults: 1,
      ...(strategy === 'alternating-users' && deeds.includes('rolls AWSCURRENT back') ? { exempt: ROLLED_BACK } : {}),
    },
    {
      name: `a person who ${deeds.join(', ')}, beside two attempts from setSecret on`,
      strategy,
      second: true,
      before: before('setSecret'),
      parts: [
        part('A', isSoak ? STEPS.slice(1) : deeds === PERSONS[0] ? ['setSecret', 'finishSecret'] : ['setSecret'], {
          remembers: true,
        }),
        part('B', isSoak ? STEPS.slice(1) : ['setSecret']),
        operator(deeds),
      ],
      faults: 0,
      ...(strategy === 'alternating-users' && deeds.includes('rolls AWSCURRENT back') ? { exempt: ROLLED_BACK } : {}),
    },
  ]);
  // Alternating users' login is never what a rotation under way changes; three deeds beside two attempts take too long.
  const isPlayed = ({ first = [] }: Part) => strategy === 'single-user' && first.length < 3;
  return all.filter(({ parts: [, , person] }) => isSoak || person === undefined || isPlayed(person));
}

/** What the service does after AWSPENDING has come to be on AWSPREVIOUS's version: it tries that one's rotation again. */
function retired(strategy: StrategyName): Scenario[] {
  const first: readonly Deed[] = ['moves AWSPENDING to the version that is AWSPREVIOUS'];
  return [
    {
      name: 'a rotation to the version that is AWSPREVIOUS, beside a late one',
      strategy,
      second: true,
      before: before('finishSecret'),
      parts: [part('A', ['finishSecret']), part('B', STEPS, { first, token: 'V1', goesOn: true })],
      faults: 0,
    },
  ];
}

/** Where setSecret moves AWSCURRENT itself. */
function early(isSoak: boolean): Scenario[] {
  const set = before('setSecret');
  const setting: Omit<Scenario, 'name' | 'parts' | 'faults'> = {
    strategy: 'single-user',
    before: set,
    promoteEarly: true,
  };
  const narrow: Partial<Part> = { narrow: true };
  const replacing: readonly Deed[] = ['takes AWSPENDING off', 'begins T2'];
  const late = [true, false].flatMap((isNarrow) => [part('A', ['setSecret'], isNarrow ? narrow : {})]);
  return [
    { ...setting, name: 'one attempt', parts: [part('A', STEPS.slice(1))], faults: 2 },
    {
      ...setting,
      name: 'two attempts of setSecret',
      parts: [part('A', ['setSecret']), part('B', ['setSecret'])],
      faults: 1,
    },
    {
      ...setting,
      name: 'two attempts of setSecret, of which one gets no further with the new password',
      parts: [part('A', ['setSecret'], narrow), part('B', ['setSecret'])],
      faults: isSoak ? 1 : 0,
    },
    {
      ...setting,
      name: 'setSecret beside steps that come too early',
      parts: [part('A', STEPS.slice(1)), part('B', ['finishSecret', 'setSecret'], { goesOn: true })],
      faults: isSoak ? 1 : 0,
    },
    {
      ...setting,
      before: [],
      name: 'two attempts of a rotation',
      parts: [part('A', STEPS), part('B', STEPS)],
      faults: 0,
    },
    ...late.map((A) => ({
      ...setting,
      name: `a late setSecret of a rotation that was given up${A.narrow ? ', of which it gets no further' : ''}, beside a new one`,
      parts: [A, part('B', STEPS, { first: replacing, token: 'T2' })],
      faults: isSoak ? 1 : 0,
    })),
    ...PERSONS.map((deeds) => ({
      ...setting,
      second: true,
      name: `a person who ${deeds.join(', ')}, beside setSecret and what follows`,
      parts: [part('A', STEPS.slice(1), { remembers: true }), operator(deeds)],
      faults: 1,
    })),
  ].map((scenario) => ({ ...scenario, name: `moving AWSCURRENT early: ${scenario.name}` }));
}

/** Two secrets' rotations that share a superuser secret that is itself rotated. */
function shared(isSoak: boolean): Scenario[] {
  const admin = (steps: readonly Step[], more: Partial<Part> = {}) => part('C', steps, { ...more, secret: 'admin' });
  return [
    {
      name: 'two rotations that share a superuser secret, beside its own setSecret',
      strategy: 'alternating-users',
      shared: true,
      before: before('setSecret'),
      parts: [part('A', ['setSecret']), part('B', ['setSecret'], { secret: 'shop' }), admin(['setSecret'])],
      faults: 0,
    },
    {
      name: 'a rotation beside that of its superuser secret',
      strategy: 'alternating-users',
      shared: true,
      before: before('setSecret'),
      parts: [part('A', STEPS.slice(1)), admin(STEPS.slice(1))],
      faults: isSoak ? 1 : 0,
    },
    {
      name: 'setSecret beside that of its superuser secret',
      strategy: 'alternating-users',
      shared: true,
      before: before('setSecret'),
      parts: [part('A', ['setSecret']), admin(['setSecret'])],
      faults: 1,
    },
    ...PERSONS.filter((deeds) => isSoak || deeds.length === 1).map(
      (deeds): Scenario => ({
        name: `a person who ${deeds.join(', ')}, beside setSecret and that of its superuser secret`,
        strategy: 'alternating-users',
        shared: true,
        second: true,
        before: before('setSecret'),
        parts: [part('A', ['setSecret']), admin(['setSecret']), operator(deeds)],
        faults: isSoak ? 1 : 0,
        ...(deeds.includes('rolls AWSCURRENT back') ? { exempt: ROLLED_BACK } : {}),
      }),
    ),
  ];
}

/** @param isSoak larger bounds: one call goes wrong in each of them. */
export function scenarios(isSoak: boolean): readonly Scenario[] {
  const both = STRATEGIES.flatMap((strategy) =>
    [attempts, disorder, abandoned, persons, retired].flatMap((kind) => kind(strategy, isSoak)),
  );
  return [...both, ...early(isSoak), ...shared(isSoak)].map((scenario) => ({
    ...scenario,
    name: `${scenario.strategy}: ${scenario.name}`,
  }));
}
