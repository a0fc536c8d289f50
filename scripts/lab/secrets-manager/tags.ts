import type { Input } from '../http/input.ts';
import { invalidParameter } from './errors.ts';

const MAX_TAGS = 50;

/** The Tags member, as pairs of key and value. */
export function readTags(input: Input): [string, string][] | undefined {
  const tags = input.structures('Tags')?.map((tag): [string, string] => {
    const key = tag.requiredText('Key', { min: 1, max: 128 });
    if (key.toLowerCase().startsWith('aws:')) {
      throw invalidParameter('Tag keys that begin with aws: are reserved for AWS services.');
    }
    return [key, tag.text('Value', { max: 256 }) ?? ''];
  });
  if (tags && new Set(tags.map(([key]) => key)).size < tags.length) {
    throw invalidParameter('A tag key can be given only once.');
  }
  checkTagCount(tags?.length ?? 0);
  return tags;
}

export function checkTagCount(count: number): void {
  if (count > MAX_TAGS) throw invalidParameter(`A secret can have at most ${MAX_TAGS} tags.`);
}
