/** The filters of ListSecrets and BatchGetSecretValue. A secret must pass every filter; of one filter's values, any. */

import type { Input } from '../http/input.ts';
import { invalidParameter } from './errors.ts';
import type { Secret } from './secret.ts';

const KEYS = ['description', 'name', 'tag-key', 'tag-value', 'primary-region', 'owning-service', 'all'] as const;
type FilterKey = (typeof KEYS)[number];

export interface Filter {
  key: FilterKey;
  values: string[];
}

export function parseFilters(input: Input): Filter[] {
  return (input.structures('Filters', { max: 10 }) ?? []).map((filter) => {
    const key = filter.choice('Key', KEYS);
    if (key === undefined) throw invalidParameter('Invalid filter key');
    const values = filter.texts('Values', {
      max: 512,
      pattern: /^!?[a-zA-Z0-9 :_@/+=.\-!]*$/,
      items: { min: 1, max: 10 },
    });
    if (values === undefined) throw invalidParameter(`Invalid filter values for key: ${key}`);
    return { key, values };
  });
}

export const passes = (secret: Secret, filters: readonly Filter[]) =>
  filters.every(({ key, values }) => values.some((value) => matches(secret, key, value)));

function matches(secret: Secret, key: FilterKey, value: string): boolean {
  return value.startsWith('!') ? !matchesText(secret, key, value.slice(1)) : matchesText(secret, key, value);
}

function matchesText(secret: Secret, key: FilterKey, text: string): boolean {
  if (key === 'all') return matchesAnywhere(secret, text);
  if (key === 'description') {
    const wanted = text.toLowerCase();
    return attributes(secret, key).some((attribute) => attribute.toLowerCase().startsWith(wanted));
  }
  return attributes(secret, key).some((attribute) => attribute.startsWith(text));
}

/** Every word of the text begins some word of some attribute, whatever its case. */
function matchesAnywhere(secret: Secret, text: string): boolean {
  const searched = KEYS.filter((key) => key !== 'all').flatMap((key) => attributes(secret, key));
  const found = searched.flatMap((attribute) => [attribute.toLowerCase(), ...words(attribute)]);
  return words(text).every((word) => found.some((candidate) => candidate.startsWith(word)));
}

const words = (text: string) =>
  text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');

function attributes(secret: Secret, key: Exclude<FilterKey, 'all'>): string[] {
  const { content } = secret;
  switch (key) {
    case 'name':
      return [content.name];
    case 'description':
      return given(content.description);
    case 'tag-key':
      return [...(content.tags?.keys() ?? [])];
    case 'tag-value':
      return [...(content.tags?.values() ?? [])];
    case 'primary-region':
      return given(secret.primaryRegion);
    case 'owning-service':
      return given(content.owningService);
  }
}

const given = (value: string | undefined) => (value === undefined ? [] : [value]);
