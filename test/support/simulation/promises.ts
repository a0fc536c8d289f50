/** What must hold in every schedule, by name. */
export const INVARIANTS = [
  'every password that the database accepts is in a version of the secret',
  'the AWSCURRENT of alternating users logs in at every moment',
  'a step that fails leaves no password of its own behind',
  "nobody's edit is undone",
  'no password labelled AWSPREVIOUS returns',
  'a rotation that was replaced changes nothing any more',
  'what is promoted logs in',
  'a rotation is counted once',
  'nobody waits for ever',
  'every error is one of ours',
  'at the end AWSCURRENT logs in',
  'at the end the next rotation succeeds',
] as const;

export type Invariant = (typeof INVARIANTS)[number];
