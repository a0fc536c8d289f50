/** What EventBridge makes of an event pattern, as far as template.yaml uses it; anything else is an error, never a guess. */
import { asList, asObject, asText, isObject, type Json, type JsonObject } from './cloudformation.ts';

/** Whether a rule with this pattern would pass the event on (EventBridge user guide, "Event patterns"). */
export function matches(pattern: JsonObject, event: JsonObject): boolean {
  return Object.entries(pattern).every(([name, wanted]) => {
    const found = event[name];
    if (isObject(wanted)) return isObject(found) && matches(wanted, found);
    // Of a list in the event, one member is enough.
    const members = Array.isArray(found) ? found : [found];
    return asList(wanted).some((each) => members.some((member) => accepts(each, member)));
  });
}

function accepts(wanted: Json, found: Json | undefined): boolean {
  if (!isObject(wanted)) return wanted === found;
  const [filter, ...others] = Object.entries(wanted);
  if (filter === undefined || others.length > 0) throw new Error(`One filter was expected: ${JSON.stringify(wanted)}`);
  const [name, argument] = filter;
  switch (name) {
    case 'exists':
      return (found !== undefined) === argument;
    case 'wildcard':
      return typeof found === 'string' && fits(asText(argument), found);
    case 'anything-but':
      return typeof found === 'string' && !fits(asText(asObject(argument).wildcard), found);
    default:
      throw new Error(`The filter ${name} is not known here.`);
  }
}

function fits(wildcard: string, text: string): boolean {
  const parts = wildcard.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

/** What a target gets by its InputTransformer: a JSON value, in which names in angle brackets stand for parts of the event. */
export function transformed(transformer: JsonObject, event: JsonObject): Json {
  const paths = asObject(transformer.InputPathsMap);
  const text = asText(transformer.InputTemplate).replace(/<(\w+)>/g, (_, name: string) => {
    const found = asText(paths[name])
      .replace(/^\$\./, '')
      .split('.')
      .reduce<Json | undefined>((at, part) => (isObject(at) ? at[part] : undefined), event);
    return typeof found === 'string' ? found : '';
  });
  return JSON.parse(text);
}
