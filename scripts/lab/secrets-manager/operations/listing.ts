import { describe, versionsToStages } from '../description.ts';
import { parseFilters, passes } from '../filters.ts';
import type { Operation, OperationTable } from '../operation.ts';
import { page } from '../paging.ts';
import type { Secret } from '../secret.ts';

const SORT_KEYS = ['created-date', 'last-accessed-date', 'last-changed-date', 'name'] as const;
type SortKey = (typeof SORT_KEYS)[number];

const listSecrets: Operation = (input, call) => {
  const filters = parseFilters(input);
  const withDeleted = input.flag('IncludePlannedDeletion') ?? false;
  const sortBy = input.choice('SortBy', SORT_KEYS) ?? 'created-date';
  const descending = input.choice('SortOrder', ['asc', 'desc']) === 'desc';
  const found = call.state
    .list(call.region)
    .filter((secret) => (withDeleted || !secret.content.deletionDate) && passes(secret, filters))
    .sort((one, other) => compare(sortValue(one, sortBy), sortValue(other, sortBy)));
  if (descending) found.reverse();
  const { items, NextToken } = page(input, 'ListSecrets', found, 100);
  const SecretList = items.map((secret) => ({
    ...describe(secret),
    SecretVersionsToStages: versionsToStages(secret.content),
  }));
  return { SecretList, NextToken };
};

function sortValue(secret: Secret, key: SortKey): string | number {
  switch (key) {
    case 'name':
      return secret.content.name;
    case 'created-date':
      return secret.content.createdAt.getTime();
    case 'last-changed-date':
      return secret.content.lastChanged.getTime();
    case 'last-accessed-date':
      return secret.lastAccessed?.getTime() ?? 0;
  }
}

const compare = (one: string | number, other: string | number) => (one < other ? -1 : Number(one > other));

export const listing: OperationTable = { ListSecrets: listSecrets };
