/** XML as AWS's Query services answer it: elements and text, no attributes but the root's namespace. */
export type Xml = string | number | boolean | undefined | XmlElements;

export interface XmlElements {
  readonly [name: string]: Xml | readonly Xml[];
}

/** Members that are undefined are left out; a list is its elements one after the other, each of the list's name. */
export function toXml(elements: XmlElements): string {
  return Object.entries(elements)
    .flatMap(([name, value]) => (isList(value) ? value : [value]).map((each) => element(name, each)))
    .join('');
}

/** A list as the Query protocol has it: `<name><member>…</member></name>`. */
export const members = (items: readonly Xml[], name = 'member'): XmlElements => ({ [name]: items });

function element(name: string, value: Xml): string {
  if (value === undefined) return '';
  return `<${name}>${typeof value === 'object' ? toXml(value) : escapeText(String(value))}</${name}>`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function isList(value: Xml | readonly Xml[]): value is readonly Xml[] {
  return Array.isArray(value);
}
