/** Cold starts: fresh processes of the pinned Node, from their start to their first answers. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { STEPS } from '../../shared/rotation/event.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import { buildFunctions, LEVERS, type Lever } from '../build.ts';
import type { Arena } from './arena.ts';
import { bundleOf, Contender, type Implementation } from './contender.ts';
import { median, rotated, type Summary, summarise } from './statistics.ts';
import { TIMEOUT_MS } from './timeout.mjs';

export interface ColdResult {
  readonly name: string;
  readonly strategy: StrategyName | undefined;
  /** Process start → bundle loaded, in ms. Not known of another implementation. */
  readonly loaded: Summary | null;
  /** Process start → createSecret answered, in ms; of a bare Node: → its end. */
  readonly created: Summary;
  /** Process start → finishSecret answered, in ms: a whole rotation on a new instance. */
  readonly whole: Summary | null;
  /** CPU time until createSecret is answered, in ms: what the noise of other processes changes least. */
  readonly cpu: Summary | null;
  /** Peak resident memory, in MB. Not known of another implementation. */
  readonly peakMemory: number | null;
  /** Size of index.mjs. */
  readonly bytes: number | null;
  /** Median of `created`'s ratio to the first one's in the same block. */
  readonly ratio: number;
  /** Of `whole`'s. */
  readonly wholeRatio: number | null;
}

export interface ColdPlan {
  readonly strategies: readonly StrategyName[];
  readonly against: Implementation | undefined;
  /** To build without, one at a time. */
  readonly levers: readonly Lever[];
  readonly tls: boolean;
  readonly blocks: number;
  /** Of Secrets Manager, where it is not the arena's own. */
  readonly endpoint?: string | undefined;
  readonly progress?: (done: number, all: number) => void;
}

/** What was built for all strategies, by the subject's name. */
type Builds = Map<string, Awaited<ReturnType<typeof buildFunctions>>>;

/** One start. */
interface Start {
  readonly loaded?: number;
  readonly created: number;
  readonly whole?: number;
  readonly cpu?: number;
  /** MB. */
  readonly peakMemory?: number;
}

/** What a process says of itself: CPU time in ms, and MB. */
type Usage = Required<Pick<Start, 'cpu' | 'peakMemory'>>;

/** JavaScript. Linux hands maxRSS down from a larger parent to whom it starts; VmHWM is the process's own. */
const USAGE = `
  function usage() {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
    const isLinux = process.platform === 'linux';
    const status = isLinux ? process.getBuiltinModule('node:fs').readFileSync('/proc/self/status', 'utf8') : '';
    const peak = /^VmHWM:\\s+(\\d+) kB/m.exec(status)?.[1] ?? maxRSS;
    return { cpu: (userCPUTime + systemCPUTime) / 1000, peakMemory: peak / 1024 };
  }`;

interface Subject {
  readonly name: string;
  readonly bytes: number | null;
  start(): Promise<Start>;
}

const run = promisify(execFile);

export async function benchCold(arena: Arena, plan: ColdPlan): Promise<readonly ColdResult[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rotation-bundles-'));
  try {
    const results: ColdResult[] = [];
    const builds: Builds = new Map();
    for (const [index, strategy] of plan.strategies.entries()) {
      const subjects = await subjectsOf(arena, plan, strategy, folder, builds);
      const starts = await startAll(subjects, plan.blocks, (done) =>
        plan.progress?.(index * plan.blocks + done, plan.strategies.length * plan.blocks),
      );
      results.push(...subjects.map((subject) => resultOf(subject, strategy, starts, subjects[0]?.name ?? '')));
    }
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function subjectsOf(
  arena: Arena,
  plan: ColdPlan,
  strategy: StrategyName,
  folder: string,
  builds: Builds,
): Promise<readonly Subject[]> {
  const built = async (name: string, without: readonly Lever[], { compileCache = false } = {}): Promise<Subject> => {
    const own = join(folder, name.replaceAll(/\W+/g, '-'));
    const files = builds.get(name) ?? (await buildFunctions({ folder: own, without }));
    builds.set(name, files);
    const bytes = files.find(({ path }) => path === join(strategy, 'index.mjs'))?.bytes ?? null;
    const environment = {
      ...arena.environment(plan.endpoint),
      ...(compileCache ? { NODE_COMPILE_CACHE: join(own, 'cache') } : {}),
    };
    return { name, bytes, start: () => startOurs(arena, plan.tls, strategy, own, environment) };
  };
  const { against } = plan;
  return [
    await built('ours', []),
    { name: 'node -e 0', bytes: null, start: startNode },
    { name: 'an empty function', bytes: null, start: await emptyFunction(arena, plan, strategy, folder) },
    ...(against === undefined
      ? []
      : [{ name: 'against', bytes: null, start: () => startOther(arena, plan, strategy, against) }]),
    ...(plan.levers.length > 0
      ? [
          ...(await Promise.all(plan.levers.map((lever) => built(`without ${lever}`, [lever])))),
          await built('without any lever', LEVERS),
          await built('with a compile cache', [], { compileCache: true }),
        ]
      : []),
  ];
}

async function startAll(
  subjects: readonly Subject[],
  blocks: number,
  progress: (done: number) => void,
): Promise<ReadonlyMap<string, readonly Start[]>> {
  const starts = new Map(subjects.map(({ name }) => [name, [] as Start[]]));
  // The first block fills the caches of the disk (and the compile cache) and is not kept.
  for (let block = 0; block <= blocks; block++) {
    for (const subject of rotated(subjects, block)) {
      const start = await subject.start();
      if (block > 0) starts.get(subject.name)?.push(start);
    }
    progress(block);
  }
  return starts;
}

function resultOf(
  { name, bytes }: Subject,
  strategy: StrategyName,
  starts: ReadonlyMap<string, readonly Start[]>,
  reference: string,
): ColdResult {
  const own = starts.get(name) ?? [];
  const first = starts.get(reference) ?? [];
  const of = (key: keyof Start) => {
    const values = own.flatMap((start) => start[key] ?? []);
    return values.length === 0 ? null : values;
  };
  const [loaded, whole, cpu, memory] = [of('loaded'), of('whole'), of('cpu'), of('peakMemory')];
  const ratios = (key: 'created' | 'whole') =>
    own.map((start, block) => (start[key] ?? Number.NaN) / (first[block]?.[key] ?? Number.NaN));
  return {
    name,
    strategy,
    bytes,
    loaded: loaded && summarise(loaded),
    created: summarise(own.map(({ created }) => created)),
    whole: whole && summarise(whole),
    cpu: cpu && summarise(cpu),
    peakMemory: memory && median(memory),
    ratio: median(ratios('created')),
    wholeRatio: whole && median(ratios('whole')),
  };
}

/** The bare minimum: a Node that does nothing. */
async function startNode(): Promise<Start> {
  const from = performance.now();
  await run(process.execPath, ['-e', '0']);
  const created = performance.now() - from;
  const { stdout } = await run(process.execPath, ['-e', `${USAGE}; console.log(JSON.stringify(usage()))`]);
  const usage: Usage = JSON.parse(stdout);
  return { created, ...usage };
}

/** What Node, its module loader and this harness cost whatever the function does. */
async function emptyFunction(arena: Arena, { tls, endpoint }: ColdPlan, strategy: StrategyName, folder: string) {
  const own = join(folder, `empty-${strategy}`);
  await mkdir(join(own, strategy), { recursive: true });
  await writeFile(bundleOf(strategy, own), 'export const handler = async () => {};');
  return () => startOurs(arena, tls, strategy, own, arena.environment(endpoint));
}

const SCRIPT = `${USAGE}
  const [bundle, ...events] = process.argv.slice(1);
  const deadline = Date.now() + ${TIMEOUT_MS};
  const context = { getRemainingTimeInMillis: () => deadline - Date.now() };
  const { handler } = await import(bundle);
  process.send(usage());
  for (const event of events) {
    await handler(JSON.parse(event), context);
    process.send(usage());
  }
  process.disconnect();
`;

async function startOurs(
  arena: Arena,
  tls: boolean,
  strategy: StrategyName,
  folder: string,
  environment: NodeJS.ProcessEnv,
): Promise<Start> {
  const version = await (await arena.newSecret({ strategy, tls })).begin();
  const events = STEPS.map((Step) => JSON.stringify({ ...version, Step }));
  const bundle = pathToFileURL(bundleOf(strategy, folder)).href;
  const from = performance.now();
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, bundle, ...events], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const marks: (Usage & { at: number })[] = [];
  child.on('message', (usage: Usage) => marks.push({ ...usage, at: performance.now() - from }));
  await once(child, 'close');
  const [loaded, created, , , whole] = marks;
  if (loaded === undefined || created === undefined || whole === undefined) {
    throw new Error(`The function in ${folder} was to answer all four steps, and did not.`);
  }
  return {
    loaded: loaded.at,
    created: created.at,
    whole: whole.at,
    cpu: created.cpu,
    peakMemory: whole.peakMemory,
  };
}

async function startOther(arena: Arena, plan: ColdPlan, strategy: StrategyName, other: Implementation): Promise<Start> {
  const version = await (await arena.newSecret({ strategy, tls: plan.tls })).begin();
  await using contender = new Contender(other, strategy, arena.environment(plan.endpoint));
  const [first, ...later] = STEPS;
  await contender.run({ ...version, Step: first });
  const created = contender.age;
  for (const Step of later) await contender.run({ ...version, Step });
  return { created, whole: contender.age };
}
