/** `npm run bench -- stdio`: our own function behind the protocol that --against speaks. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { StrategyName } from '../../shared/rotation/strategy.ts';

export async function serveStdio(strategy: StrategyName): Promise<void> {
  const bundle = fileURLToPath(new URL(`../../dist/${strategy}/index.mjs`, import.meta.url));
  if (!existsSync(bundle)) throw new Error(`dist/${strategy}/index.mjs is needed: npm run build`);
  const { serveFunction } = await import('./function-server.mjs');
  await serveFunction(bundle);
}
