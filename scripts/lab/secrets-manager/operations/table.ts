/** Every operation that the lab knows; any other is an UnknownOperationException. */
import type { OperationTable } from '../operation.ts';
import { getRandomPassword } from '../random-password.ts';
import { lifecycle } from './lifecycle.ts';
import { listing } from './listing.ts';
import { policies } from './policies.ts';
import { replication } from './replication.ts';
import { rotation } from './rotation.ts';
import { tagging } from './tags.ts';
import { values } from './values.ts';
import { versions } from './versions.ts';

export const operations: OperationTable = {
  ...lifecycle,
  ...values,
  ...versions,
  ...listing,
  ...rotation,
  ...tagging,
  ...policies,
  ...replication,
  GetRandomPassword: getRandomPassword,
};
