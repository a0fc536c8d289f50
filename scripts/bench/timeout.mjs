/** Of one invocation, in ms: the template's default. */
export const TIMEOUT_MS = 60_000;
