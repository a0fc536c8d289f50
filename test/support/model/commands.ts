import fc from 'fast-check';
import { STEPS, type Step } from '../../../shared/rotation/event.ts';

/** One call of the function; `rotation` counts back from the newest one that was begun. */
export interface StepCall {
  readonly rotation: number;
  readonly step: Step;
  /** Even where createSecret has not run: such a step waits for a value that does not come, and so takes its time. */
  readonly early: boolean;
}

/** What may happen to a secret and its roles, by whom. */
export type Command =
  // The service
  | { readonly does: 'begin a rotation' }
  | { readonly does: 'rotate' }
  | { readonly does: 'call a step'; readonly call: StepCall }
  | { readonly does: 'call two steps at once'; readonly calls: readonly [StepCall, StepCall] }
  | { readonly does: 'let time pass'; readonly days: number }
  // An operator
  | { readonly does: 'cancel the rotation' }
  | { readonly does: 'take AWSPENDING off' }
  | { readonly does: 'move AWSPENDING'; readonly rotation: number }
  | { readonly does: 'roll AWSCURRENT back' }
  | { readonly does: 'replicate' }
  // Users
  | { readonly does: 'put a value'; readonly password: 'unchanged' | 'wrong' | "the database's" }
  // A DBA
  | { readonly does: 'change a password'; readonly whose: 'base' | 'twin' };

const stepCall = fc.record({
  rotation: fc.nat({ max: 2 }),
  step: fc.constantFrom(...STEPS),
  early: fc.integer({ min: 0, max: 19 }).map((number) => number === 19),
});

/** Steps in their order are likelier than by chance, so that most runs get somewhere. */
const wholeRun = fc
  .integer({ min: 1, max: 4 })
  .map((count): Command[] => [
    { does: 'begin a rotation' },
    ...STEPS.slice(0, count).map(
      (step): Command => ({ does: 'call a step', call: { rotation: 0, step, early: false } }),
    ),
  ]);

const oneCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: stepCall.map((call): Command => ({ does: 'call a step', call })) },
  {
    weight: 2,
    arbitrary: fc.tuple(stepCall, stepCall).map((calls): Command => ({ does: 'call two steps at once', calls })),
  },
  { weight: 3, arbitrary: fc.constant<Command>({ does: 'begin a rotation' }) },
  { weight: 2, arbitrary: fc.constant<Command>({ does: 'rotate' }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 60 }).map((days): Command => ({ does: 'let time pass', days })) },
  { weight: 1, arbitrary: fc.constant<Command>({ does: 'cancel the rotation' }) },
  { weight: 2, arbitrary: fc.constant<Command>({ does: 'take AWSPENDING off' }) },
  {
    weight: 1,
    arbitrary: fc.nat({ max: 2 }).map((rotation): Command => ({ does: 'move AWSPENDING', rotation })),
  },
  { weight: 1, arbitrary: fc.constant<Command>({ does: 'roll AWSCURRENT back' }) },
  { weight: 1, arbitrary: fc.constant<Command>({ does: 'replicate' }) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('unchanged', 'wrong', "the database's")
      .map((password): Command => ({ does: 'put a value', password })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('base', 'twin').map((whose): Command => ({ does: 'change a password', whose })),
  },
);

/** A history of a secret: up to some twenty commands. */
export const histories: fc.Arbitrary<readonly Command[]> = fc
  .array(
    fc.oneof({ weight: 1, arbitrary: wholeRun }, { weight: 3, arbitrary: oneCommand.map((command) => [command]) }),
    {
      minLength: 1,
      maxLength: 14,
    },
  )
  .map((parts) => parts.flat());

/** A command in words, as a failing history is shown. */
export function inWords(command: Command): string {
  const { does, ...details } = command;
  return Object.keys(details).length === 0 ? does : `${does} ${JSON.stringify(details)}`;
}
