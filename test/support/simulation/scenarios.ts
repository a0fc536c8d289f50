/** What is played in every interleaving. */
import { STEPS, type Step } from '../../../shared/rotation/event.ts';
import type { StrategyName } from '../../../shared/rotation/strategy.ts';
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
    STEPS.map((step) => ({
      name: `a late ${step} of a rotation that was ${how}, beside a new one`,
      strategy,
      before: before(step),
      parts: [part('A', [step], { ...more, remembers: true }), part('B', STEPS, { first, token: 'T2' })],
      faults: isSoak ? 1 : 0,
    })),
  );
}

/** Each deed of a person's at every point of a rotation, of which one call may go wrong. */
function persons(strategy: StrategyName, isSoak: boolean): Scenario[] {
  return PERSONS.flatMap((deeds) => [
    {
      name: `a person who ${deeds.join(', ')}, beside a rotation`,
      strategy,
      second: true,
      parts: [part('A', STEPS), operator(deeds)],
      faults: 1,
    },
    {
      name: `a person who ${deeds.join(', ')}, beside two attempts from setSecret on`,
      strategy,
      second: true,
      before: before('setSecret'),
      parts: [part('A', STEPS.slice(1), { remembers: true }), part('B', STEPS.slice(1)), operator(deeds)],
      faults: 0,
    },
  ]).filter(({ parts }) => isSoak || parts.length < 3 || strategy === 'single-user');
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
  ];
}

/** @param isSoak larger bounds: one call goes wrong in each of them. */
export function scenarios(isSoak: boolean): readonly Scenario[] {
  const both = STRATEGIES.flatMap((strategy) =>
    [attempts, disorder, abandoned, persons].flatMap((kind) => kind(strategy, isSoak)),
  );
  return [...both, ...shared(isSoak)].map((scenario) => ({ ...scenario, name: `${scenario.strategy}: ${scenario.name}` }));
}
