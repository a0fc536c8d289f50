import { readFileSync } from 'node:fs';

/** The fenced code blocks of one language in a document of this project, in order. */
export function codeBlocks(document: string, language: string): string[] {
  const text = readFileSync(new URL(`../../${document}`, import.meta.url), 'utf8');
  const blocks = text.matchAll(/^```(\w*)\n(.*?)^```$/gms);
  return Array.from(blocks).flatMap(([, name, code]) => (name === language && code !== undefined ? [code] : []));
}

/** The commands of shell blocks, each on one line. */
export function shellCommands(document: string): string[] {
  return codeBlocks(document, 'sh')
    .flatMap((block) => block.replace(/\\\n\s*/g, '').split('\n'))
    .filter((line) => line.trim() !== '');
}
