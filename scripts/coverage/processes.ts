/** What the processes reached that the tests started: Node writes it as each of them ends (NODE_V8_COVERAGE). */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mergeProcessCovs, type ProcessCov } from '@bcoe/v8-coverage';
import { parse } from 'acorn';
import { convert } from 'ast-v8-to-istanbul';
import { type Lines, linesOf, reach } from './lines.ts';

/**
 * @param folder of the files that Node wrote.
 * @param root   the project's.
 * @returns by source file: a bundle's lines are those of its sources, by its source map.
 */
export async function reachedInProcesses(folder: string, root: string): Promise<Map<string, Lines>> {
  const reached = new Map<string, Lines>();
  for (const script of (await merged(folder, root)).result) {
    const coverage = await convert({ ...(await sourceOf(fileURLToPath(script.url))), coverage: script });
    for (const [path, lines] of linesOf(coverage, root)) {
      const known = reached.get(path) ?? new Map<number, boolean>();
      for (const [line, hit] of lines) reach(known, line, hit);
      reached.set(path, known);
    }
  }
  return reached;
}

/** One by one: hundreds of processes leave a megabyte each. */
async function merged(folder: string, root: string): Promise<ProcessCov> {
  let all: ProcessCov = { result: [] };
  for (const file of await readdir(folder)) {
    const { result }: ProcessCov = JSON.parse(await readFile(join(folder, file), 'utf8'));
    const ours = result.filter(({ url }) => isOurs(url, root));
    all = mergeProcessCovs([all, { result: ours }]);
  }
  return all;
}

/** Not what was built for a single test, and is gone. */
const isOurs = (url: string, root: string) =>
  url.startsWith('file:') && !url.includes('/node_modules/') && isIn(fileURLToPath(url), root);
const isIn = (path: string, root: string) => path.startsWith(root) && existsSync(path);

async function sourceOf(path: string) {
  const text = await readFile(path, 'utf8');
  // Types are replaced by spaces, as they were when it ran: each character stays where it was.
  const code = path.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
  const ast = parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true });
  const map = `${path}.map`;
  return { code, ast, ...(existsSync(map) && { sourceMap: JSON.parse(await readFile(map, 'utf8')) }) };
}
