/** Who may import whom: the order of the rooms, and what never meets; pure. The architecture test shows each to catch. */
import { circlesIn, type Import, type SourceFiles, waysFrom } from './source-imports.ts';

interface Room {
  /** Rooms (or files) of shared/ that it may import besides itself. */
  readonly after: readonly string[];
  /** The packages that it may import; without: none. */
  readonly packages?: RegExp;
}

const GROUND = ['errors.ts', 'deadline.ts'];

/** The rooms of shared/, in their order. */
export const ROOMS: Readonly<Record<string, Room>> = {
  'errors.ts': { after: [] },
  'deadline.ts': { after: [] },
  secret: { after: GROUND },
  rotation: { after: [...GROUND, 'secret'] },
  aws: { after: [...GROUND, 'secret', 'rotation'], packages: /^@(?:aws-sdk\/|smithy\/signature-v4$)/ },
  database: { after: [...GROUND, 'secret', 'rotation'], packages: /^pg$/ },
  lambda: {
    after: [...GROUND, 'secret', 'rotation', 'aws', 'database'],
    packages: /^(?:@aws-lambda-powertools\/.+|@aws-sdk\/.+|aws-lambda)$/,
  },
  // Apart: for people at a terminal, never for a function.
  terminal: { after: [] },
  schedule: { after: [] },
  iam: { after: [] },
};

const PRODUCTS = /^(?:functions|cli|client|bin)\//;

/** What client/ may import besides itself: applications install it without the rest, and bring the packages. */
const CLIENTS = /^(?:shared\/secret\/database-secret\.ts|pg|@aws-sdk\/client-secrets-manager|node:.+)$/;

/** @returns what breaks the rule, as `from → to` or as a longer chain. */
export type Rule = (imports: readonly Import[], files: SourceFiles) => readonly string[];

export const RULES = {
  'all of shared/ stands in one of its rooms': (_, files) =>
    [...files.keys()].filter((path) => path.startsWith('shared/') && !Object.hasOwn(ROOMS, roomOf(path))),

  'shared/ imports nothing outside shared/': (imports) =>
    arrows(imports, ({ from, to }) => from.startsWith('shared/') && isFile(to) && !to.startsWith('shared/')),

  'a room of shared/ imports only rooms before it': (imports) =>
    arrows(imports, ({ from, to }) => {
      if (!from.startsWith('shared/') || !to.startsWith('shared/')) return false;
      return roomOf(from) !== roomOf(to) && !ROOMS[roomOf(from)]?.after.includes(roomOf(to));
    }),

  'a room of shared/ knows the packages of its own trade only': (imports) =>
    arrows(imports, ({ from, to }) => {
      if (!from.startsWith('shared/') || isFile(to) || to.startsWith('node:')) return false;
      return !ROOMS[roomOf(from)]?.packages?.test(to);
    }),

  'nothing that runs on Lambda reaches terminal/, schedule/ or iam/': (imports, files) =>
    ways(imports, files, /^(?:functions|shared\/lambda)\//, /^shared\/(?:terminal|schedule|iam)\//),

  'cli/ never reaches the lab': (imports, files) => ways(imports, files, /^cli\//, /^scripts\/lab[./]/),

  'the lab never reaches cli/': (imports, files) => ways(imports, files, /^scripts\/lab[./]/, /^cli\//),

  'products import neither scripts/ nor test/': (imports) =>
    arrows(imports, ({ from, to }) => PRODUCTS.test(from) && /^(?:scripts|test)\//.test(to)),

  'no product imports another, but for the one that bin/ starts': (imports) =>
    arrows(imports, ({ from, to }) => {
      if (!PRODUCTS.test(from) || !PRODUCTS.test(to)) return false;
      return folderOf(from) !== folderOf(to) && !(folderOf(from) === 'bin' && folderOf(to) === 'cli');
    }),

  "client/ imports the secret's JSON of all in shared/, and only packages that applications bring": (imports) =>
    arrows(imports, ({ from, to }) => from.startsWith('client/') && !to.startsWith('client/') && !CLIENTS.test(to)),

  'examples import no file of the project but their own': (imports) =>
    arrows(imports, ({ from, to }) => from.startsWith('examples/') && isFile(to) && !to.startsWith('examples/')),

  'only tests import test/': (imports) =>
    arrows(imports, ({ from, to }) => !from.startsWith('test/') && to.startsWith('test/')),

  'no files import each other in a circle': (imports) => circlesIn(imports).map((circle) => circle.join(' → ')),
} satisfies Readonly<Record<string, Rule>>;

const isFile = (target: string) => /\.(?:ts|mjs|js)$/.test(target);

/** `cli` of cli/watch/watch.ts. */
function folderOf(path: string): string {
  return path.split('/')[0] ?? '';
}

/** `secret` of shared/secret/password.ts, `errors.ts` of shared/errors.ts. */
export function roomOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function arrows(imports: readonly Import[], breaks: (each: Import) => boolean): readonly string[] {
  return imports.filter(breaks).map(({ from, to }) => `${from} → ${to}`);
}

/** How files of one kind reach those of another: from the last of the one kind on a way to the first of the other. */
function ways(imports: readonly Import[], files: SourceFiles, from: RegExp, to: RegExp): readonly string[] {
  return [...files.keys()]
    .filter((path) => from.test(path))
    .flatMap((path) => [...waysFrom(path, imports).values()])
    .filter(([, ...way]) =>
      way.every((each, index) => !from.test(each) && to.test(each) === (index === way.length - 1)),
    )
    .filter((way) => way.length > 1)
    .map((way) => way.join(' → '));
}
