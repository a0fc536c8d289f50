/**
 * Whether two parsed JSON values are the same, whatever the order of their keys. It keeps its own list of what is left to
 * compare, since a secret may be nested deeper than a stack is.
 */
export function isSameJson(a: unknown, b: unknown): boolean {
  const left: [unknown, unknown][] = [[a, b]];
  for (let pair = left.pop(); pair !== undefined; pair = left.pop()) {
    const [x, y] = pair;
    if (!isObject(x) || !isObject(y)) {
      if (!Object.is(x, y)) return false;
      continue;
    }
    const keys = Object.keys(x);
    if (Array.isArray(x) !== Array.isArray(y) || keys.length !== Object.keys(y).length) return false;
    for (const key of keys) {
      if (!Object.hasOwn(y, key)) return false;
      left.push([x[key], y[key]]);
    }
  }
  return true;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
