/** A rotation function that fails at once, so that RotateSecret does no more than register the pending version. */
export const handler = () => {
  throw new Error('This function leaves the steps to the benchmark.');
};
