/** A rotation function that fails at once, so that RotateSecret does no more than register the pending version. */
export function handler() {
  throw new Error('This function takes no step, so that somebody else can take them one by one.');
}
