import { styleText } from 'node:util';

/** Styled only where a terminal shows it, and not where NO_COLOR is set. */
export const bold = (text: string) => styleText('bold', text, { stream: process.stdout });
export const dim = (text: string) => styleText('dim', text, { stream: process.stdout });
export const green = (text: string) => styleText('green', text, { stream: process.stdout });
export const red = (text: string) => styleText('red', text, { stream: process.stdout });
export const yellow = (text: string) => styleText('yellow', text, { stream: process.stdout });

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
