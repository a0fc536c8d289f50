import { styleText } from 'node:util';

/** Styled only where a terminal shows it, and not where NO_COLOR is set. */
export const bold = (text: string) => styleText('bold', text, { stream: process.stdout });
export const dim = (text: string) => styleText('dim', text, { stream: process.stdout });
export const green = (text: string) => styleText('green', text, { stream: process.stdout });
export const red = (text: string) => styleText('red', text, { stream: process.stdout });
export const yellow = (text: string) => styleText('yellow', text, { stream: process.stdout });

/** Bold, dim, a colour, and their ends: what styleText writes. */
const STYLE = String.raw`\u001B\[(?:1|2|22|3[0-9])m`;
/** Characters that would end a line, steer a terminal, or turn the direction of a text. */
const HARMFUL = String.raw`[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]`;
const STYLES_AND_HARMFUL = new RegExp(`${STYLE}|${HARMFUL}`, 'gu');

/** What others have named, for a terminal: everything that would steer it, but for our own styles, as an escape. */
export function harmless(text: string): string {
  return text.replace(STYLES_AND_HARMFUL, (found) => (found.length > 1 ? found : escaped(found)));
}

function escaped(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}

/** A version's id, as short as people can tell them apart. */
export const shortId = (id: string) => id.slice(0, 8);

export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** 12 345: groups of digits are easier to read. */
export function count(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** "1 check", "2 checks". */
export const plural = (number: number, noun: string) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
