/** Leaves a rotation at its very beginning: AWSPENDING is registered and has no value. */
export function handler() {
  throw new Error('This function takes no step, so that a test can take them one by one.');
}
