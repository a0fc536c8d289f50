/** STS, as far as GetCallerIdentity. */
import { ACCOUNT_ID } from '../account.ts';
import { CALLER } from './account.ts';
import { queryService } from './query-service.ts';

const shape = { prefix: 'sts', version: '2011-06-15', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' };

export const sts = queryService(shape, {
  GetCallerIdentity: () => ({ Arn: CALLER, UserId: 'AIDALABLABLABLABLABLA', Account: ACCOUNT_ID }),
});
