/** What the Terraform module's own files say of its inputs and outputs. */
import { readdirSync, readFileSync } from 'node:fs';

const MODULE = new URL('../../terraform/', import.meta.url);

export interface Documented {
  readonly name: string;
  readonly description: string;
  /** Of a variable: its type, without an object's attributes. */
  readonly type?: string;
  /** Of a variable: the default as it is written; undefined where it has none. */
  readonly default?: string;
}

/** @param folder of the module, with a slash at its end; the module itself is ''. */
export function blocksOf(kind: 'variable' | 'output', folder = ''): Documented[] {
  return readdirSync(new URL(folder, MODULE))
    .filter((file) => file.endsWith('.tf'))
    .flatMap((file) => {
      const text = readFileSync(new URL(`${folder}${file}`, MODULE), 'utf8');
      const blocks = text.matchAll(new RegExp(`^${kind} "(\\w+)" \\{\\n(.*?)^\\}`, 'gms'));
      return Array.from(blocks, ([, name = '', body = '']) => documented(name, body));
    })
    .toSorted((one, other) => one.name.localeCompare(other.name));
}

function documented(name: string, body: string): Documented {
  const attribute = (key: string) => new RegExp(`^  ${key} += (.*)$`, 'm').exec(body)?.[1];
  const type = attribute('type')?.replace(/\(\{.*$/, '');
  const preset = attribute('default');
  return {
    name,
    description: JSON.parse(attribute('description') ?? '""'),
    ...(type === undefined ? {} : { type: type.includes('(object') ? `${type})` : type }),
    ...(preset === undefined ? {} : { default: preset }),
  };
}

/** README.md's table of inputs. */
export function inputTable(): string {
  const rows = blocksOf('variable').map(
    ({ name, description, type, default: preset = 'required' }) =>
      `| \`${name}\` | ${description} | \`${type}\` | \`${preset}\` |`,
  );
  return ['| Name | Description | Type | Default |', '|---|---|---|---|', ...rows].join('\n');
}

/** README.md's table of outputs. */
export function outputTable(): string {
  const rows = blocksOf('output').map(({ name, description }) => `| \`${name}\` | ${description} |`);
  return ['| Name | Description |', '|---|---|', ...rows].join('\n');
}
