/** STS, as far as GetCallerIdentity. */
import { userOf } from './account.ts';
import { queryService } from './query-service.ts';

const shape = { prefix: 'sts', version: '2011-06-15', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' };

export const sts = queryService(shape, {
  GetCallerIdentity: (_parameters, _account, _region, caller) => ({
    Arn: userOf(caller),
    UserId: 'AIDALABLABLABLABLABLA',
    Account: caller,
  }),
});
