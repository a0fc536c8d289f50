import { type Client, escapeLiteral } from 'pg';
import { type Relation, type Routine, relationsNamed, routines, typesNamed } from './hostile-catalog.ts';
import type { StatementNames } from './statement-names.ts';

/** Something of the catalog's name in a schema of somebody else's, which notes that it ran. */
export interface Overload {
  readonly kind: 'operator' | 'function' | 'type' | 'relation';
  /** For people, and in the server's log: `operator =(name,name)`. */
  readonly what: string;
  readonly create: string;
  /** SQL that means it, where its schema comes first, and nothing else of that schema. */
  readonly call: string;
}

/** Where overloads stand in relation to pg_catalog, which decides which of them can be meant at all. */
export type Precedence = 'before pg_catalog' | 'after pg_catalog';

/** Types for which the catalog's overloads may be by coercion only, so that an exact one is preferred wherever it stands. */
const TYPES = [
  ...['name', 'text', 'varchar', 'char', 'oid', 'regclass', 'regrole', 'int4', 'int8', 'bool', 'timestamptz'],
  ...['_text', '_name', '_oid', '_aclitem', 'json', 'jsonb'],
];

/** For what takes arguments of any type, of which there is no end. */
const ANY = ['text', 'name', 'bool', 'oid', 'int4', 'timestamptz', '_text', 'json'];

/** What a call may have instead of an argument of this type: exactly this, or what PostgreSQL coerces to it. */
const INSTEAD: Readonly<Record<string, readonly string[]>> = {
  text: ['text', 'name'],
  name: ['name', 'text'],
  oid: ['oid', 'regclass'],
  regclass: ['regclass', 'oid'],
  int8: ['int8', 'int4'],
  anyarray: ['_text', '_name', '_oid', '_aclitem'],
  anycompatiblearray: ['_text', '_name', '_oid'],
  anyelement: ['text', 'name', 'oid', 'int4', 'bool'],
  anynonarray: ['text', 'name', 'oid', 'int4'],
  anycompatible: ['text', 'name', 'oid', 'int4'],
};

/** @param client a session of whoever makes them, in the database where the catalog is looked at. */
export async function overloadsOf(
  client: Client,
  { symbols, identifiers }: StatementNames,
  precedence: Precedence,
  schema: string,
): Promise<Overload[]> {
  const known = await routines(client, symbols, identifiers);
  const forAny = known.flatMap(withoutAny);
  const exact = known.filter(({ args, kind }) => !args.includes('any') && (kind !== 'aggregate' || args.length > 0));
  const make = new Maker(schema);
  if (precedence === 'before pg_catalog') {
    const types = await typesNamed(client, identifiers);
    const relations = await relationsNamed(client, identifiers);
    return [
      ...[...exact, ...(await resolved(client, forAny))].map((routine) => make.routine(routine)),
      ...types.map((name) => make.type(name)),
      ...relations.map((relation) => make.relation(relation)),
    ];
  }
  const others = [...exact.flatMap(coerced), ...operatorsOn(symbols), ...forAny];
  const there = new Set(known.map(signature));
  const news = others.filter((routine) => !there.has(signature(routine)));
  const once = [...new Map(news.map((routine) => [signature(routine), routine])).values()];
  return (await resolved(client, once)).map((routine) => make.routine(routine));
}

function signature({ kind, name, args }: Routine): string {
  return `${kind === 'operator' ? 'operator' : 'function'} ${name}(${args.join(',')})`;
}

/** Nobody but a superuser can write a function of "any": calls are made with real types. */
function withoutAny(routine: Routine): Routine[] {
  const at = routine.args.indexOf('any');
  if (at === -1) return [];
  const fixed = routine.args.slice(0, at);
  const lists = routine.variadic
    ? [...combinations([ANY]), ...combinations([ANY, ANY]), ...combinations(Array(3).fill(ANY.slice(0, 3))), ...pairs()]
    : combinations(routine.args.slice(at).map((type) => (type === 'any' ? ANY : [type])));
  return lists.map((types) => ({ ...routine, args: [...fixed, ...types], variadic: false, defaults: 0 }));
}

/** Keys and values, as for json_build_object. */
function pairs(): string[][] {
  return [2, 3, 4, 6, 8].flatMap((count) => ANY.map((type) => Array(count).fill(['text', type]).flat()));
}

function coerced(routine: Routine): Routine[] {
  if (routine.variadic || routine.args.length > 4) return [];
  const lists = combinations(routine.args.map((type) => INSTEAD[type] ?? [type]));
  return lists.map((args) => ({ ...routine, args, defaults: 0 }));
}

function operatorsOn(symbols: readonly string[]): Routine[] {
  return symbols.flatMap((name) =>
    combinations([TYPES, TYPES]).map((args): Routine => {
      return { name, kind: 'operator', args, defaults: 0, variadic: false, set: false, result: '' };
    }),
  );
}

function combinations(choices: readonly (readonly string[])[]): string[][] {
  return choices.reduce<string[][]>(
    (lists, choice) => lists.flatMap((list) => choice.map((one) => [...list, one])),
    [[]],
  );
}

/** Those that the catalog itself answers, by coercion, with the type that it answers. */
async function resolved(client: Client, candidates: readonly Routine[]): Promise<Routine[]> {
  const { rows } = await client.query<{ result: string | null }>(
    `SELECT pg_temp.result_of(expression) AS result
       FROM unnest($1::text[]) WITH ORDINALITY AS one (expression, at) ORDER BY at`,
    [candidates.map((routine) => callOf(routine, (type) => `NULL::${type}`, 'pg_catalog'))],
  );
  return candidates.flatMap((routine, at) => {
    const result = rows[at]?.result ?? null;
    return result === null || result === 'unknown' ? [] : [{ ...routine, result }];
  });
}

/** @param argument the expression of an argument of this type, the `at`th from 1. */
function callOf(
  { name, kind, args, variadic }: Routine,
  argument: (type: string, at: number) => string,
  schema?: string,
): string {
  const values = args.map((type, index) => argument(inCatalog(type), index + 1));
  if (kind === 'operator') {
    const operator = schema === undefined ? name : `OPERATOR(${schema}.${name})`;
    return values.length === 1 ? `${operator} ${values[0]}` : `${values[0]} ${operator} ${values[1]}`;
  }
  if (variadic) values.push(`VARIADIC ${values.pop()}`);
  return `${schema === undefined ? '' : `${schema}.`}"${name}"(${values.join(', ')})`;
}

const inCatalog = (type: string) => `pg_catalog."${type}"`;

/** Writes the statements that make overloads. What they do first is to call the schema's `note`. */
class Maker {
  readonly #schema: string;
  #made = 0;

  constructor(schema: string) {
    this.#schema = schema;
  }

  /** It answers what the catalog's own answers, so that what called it goes on and meets the next. */
  routine(routine: Routine): Overload {
    const what = signature(routine);
    const element = routine.args.some((type) => type.endsWith('range')) ? 'int4' : 'bool';
    const call = `SELECT ${callOf(routine, (type) => controlArgument(type, element))}`;
    const kind = routine.kind === 'operator' ? 'operator' : 'function';
    if (routine.kind === 'aggregate') return { kind, what, call, create: this.#aggregate(routine, what) };
    const original = callOf(routine, (type, at) => `$${at}::${type}`, 'pg_catalog');
    const polymorphic = callOf(routine, (_, at) => `$${at}`, 'pg_catalog');
    const answer = this.#answer(routine, routine.args.some((type) => type.startsWith('any')) ? polymorphic : original);
    const name = routine.kind === 'operator' ? `operator ${++this.#made}` : routine.name;
    const list = routine.args.map((type, index) => {
      const variadic = routine.variadic && index === routine.args.length - 1 ? 'VARIADIC ' : '';
      return `${variadic}${inCatalog(type)}${index >= routine.args.length - routine.defaults ? ' DEFAULT NULL' : ''}`;
    });
    const result = `${routine.set ? 'SETOF ' : ''}${inCatalog(routine.result)}`;
    const create = `${this.#function(name, list.join(', '), result, what, answer)}`;
    if (routine.kind !== 'operator') return { kind, what, call, create };
    const sides = routine.args.length === 1 ? ['RIGHTARG'] : ['LEFTARG', 'RIGHTARG'];
    const definition = routine.args.map((type, index) => `${sides[index]} = ${inCatalog(type)}`).join(', ');
    const operator = `CREATE OPERATOR ${this.#schema}.${routine.name} (FUNCTION = ${this.#schema}."${name}", ${definition})`;
    return { kind, what, call, create: `${create}; ${operator}` };
  }

  type(name: string): Overload {
    const what = `type ${name}`;
    const check = `CHECK (${this.#schema}.note(${escapeLiteral(what)}))`;
    const create = `CREATE DOMAIN ${this.#schema}."${name}" AS ${inCatalog(name)} ${check}`;
    return { kind: 'type', what, create, call: `SELECT NULL::"${name}"` };
  }

  relation({ name, columns, readable }: Relation): Overload {
    const what = `relation ${name}`;
    const rows = readable ? `${columns} FROM pg_catalog."${name}"` : columns;
    // A subquery of nothing else is looked at once, whether there are rows or not.
    const create = `CREATE VIEW ${this.#schema}."${name}" AS SELECT ${rows} WHERE (SELECT ${this.#schema}.note(${escapeLiteral(what)}));
      GRANT SELECT ON ${this.#schema}."${name}" TO PUBLIC`;
    return { kind: 'relation', what, create, call: `SELECT FROM "${name}" LIMIT 1` };
  }

  #answer({ result, set }: Routine, expression: string): string {
    if (result === 'void') return `PERFORM ${expression}; RETURN;`;
    if (set) return result === 'record' ? 'RETURN;' : `RETURN QUERY SELECT ${expression};`;
    return result === 'record' ? 'RETURN NULL;' : `RETURN ${expression};`;
  }

  /** Its final function runs even for no row. */
  #aggregate({ name, args, result }: Routine, what: string): string {
    const step = `step ${++this.#made}`;
    const end = `end ${this.#made}`;
    const state = inCatalog(result);
    const types = args.map(inCatalog);
    return [
      this.#function(step, [state, ...types].join(', '), state, what, 'RETURN $1;'),
      this.#function(end, state, state, what, 'RETURN $1;'),
      `CREATE AGGREGATE ${this.#schema}."${name}"(${types.join(', ')})
         (SFUNC = ${this.#schema}."${step}", STYPE = ${state}, FINALFUNC = ${this.#schema}."${end}")`,
    ].join('; ');
  }

  #function(name: string, list: string, result: string, what: string, answer: string): string {
    const body = `BEGIN PERFORM ${this.#schema}.note(${escapeLiteral(what)}); ${answer} END`;
    return `CREATE FUNCTION ${this.#schema}."${name}"(${list}) RETURNS ${result} LANGUAGE plpgsql
      SET search_path = pg_catalog, pg_temp AS ${escapeLiteral(body)}`;
  }
}

/** For a polymorphic argument, a type for which the catalog has nothing nearer. */
function controlArgument(type: string, element: string): string {
  const polymorphic = /^pg_catalog\."any(?:compatible)?(.*)"$/.exec(type)?.[1];
  if (polymorphic === undefined) return `NULL::${type}`;
  if (polymorphic === 'array') return `NULL::pg_catalog._${element}`;
  if (polymorphic === 'range') return 'NULL::pg_catalog.int4range';
  return `NULL::pg_catalog.${polymorphic === 'multirange' ? 'int4multirange' : element}`;
}
