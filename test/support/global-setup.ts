import type { TestProject } from 'vitest/node';
import { buildFunctions } from '../../scripts/build.ts';
import { planServers, type ServerPlan } from './server-plan.ts';
import { SharedServers } from './shared-servers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: ServerPlan & { readonly sharedServers: string };
  }
}

/** Builds the functions, as the tests run what is deployed, and gets the servers ready to be started. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  await buildFunctions();
  const plan = await planServers(process.env);
  process.stdout.write(`${plan.description}\n`);
  const servers = await SharedServers.open(plan);
  project.provide('postgres', { ...plan, sharedServers: servers.url });
  return () => servers.close();
}
