import { toolIsHere } from './tools.ts';

/** The oldest boto3 that heeds AWS_ENDPOINT_URL, by which it finds the lab. */
const BOTO3 = '(1, 28)';

/** Whether what the samples for Python need is here. */
export function psycopgIsHere(): boolean {
  const recent = `assert tuple(map(int, boto3.__version__.split(".")[:2])) >= ${BOTO3}`;
  return toolIsHere(
    "Python's psycopg, psycopg_pool and boto3 of 1.28 or later",
    ['python3', '-c', `import boto3, psycopg, psycopg_pool; ${recent}`],
    'REQUIRE_PSYCOPG',
  );
}
