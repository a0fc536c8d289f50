/** The filters of ListSecrets and BatchGetSecretValue. A secret must pass every filter; of one filter's values, any. */

import type { Input } from '../http/input.ts';
import { invalidParameter } from './errors.ts';
import type { Secret } from './secret.ts';

/** The first five in the order in which the service names them (reported by moto's tests). */
const KEYS = ['all', 'name', 'tag-key', 'description', 'tag-value', 'primary-region', 'owning-service'] as const;
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
  if (key === 'description') return beginWords(text, attributes(secret, key).flatMap(words));
  return attributes(secret, key).some((attribute) => attribute.startsWith(text));
}

/** In any attribute: a word of it that humps and digits end too, or all that stands between two signs. */
function matchesAnywhere(secret: Secret, text: string): boolean {
  const searched = KEYS.filter((key) => key !== 'all').flatMap((key) => attributes(secret, key));
  const whole = words(text);
  if (whole.length > 0 && whole.every((word) => searched.flatMap(words).includes(word))) return true;
  return beginWords(humps(text), searched.map(humps).flatMap(words));
}

/**
 * Whether every word of the text begins some word that there is: "a secret" finds "an secret". A text without a word finds
 * nothing (both recorded from the service).
 */
function beginWords(text: string, found: readonly string[]): boolean {
  const wanted = words(text);
  return wanted.length > 0 && wanted.every((word) => found.some((candidate) => candidate.startsWith(word)));
}

/** AppBeta2 is App Beta 2, and COMPANYthings is COMPAN Ythings (recorded from the service, but for the digits). */
const humps = (text: string) =>
  text.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])/g, ' ');

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
