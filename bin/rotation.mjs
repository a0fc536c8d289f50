#!/usr/bin/env node
/**
 * Runs cli/main.ts on a Node.js that runs TypeScript as it is: the one at hand if it is new enough, else the one that
 * the project brings.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const MAJOR = 24;
const command = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

if (Number.parseInt(process.versions.node, 10) >= MAJOR) {
  process.argv[1] = command;
  await import('../cli/main.ts');
} else {
  const child = spawn(broughtNode(), [command, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal sends Ctrl-C to both: the child decides what it means, and this process waits for it.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      if (signal !== 'SIGINT') child.kill(signal);
    });
  }
  child.on('error', () => {
    process.stderr.write(
      `rotation needs Node.js ${MAJOR} or later, found ${process.versions.node}: run npm install.\n`,
    );
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
}

function broughtNode() {
  try {
    return createRequire(import.meta.url).resolve('node/bin/node');
  } catch {
    return `node-${MAJOR}-is-not-installed`;
  }
}
