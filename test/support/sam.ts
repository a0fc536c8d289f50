import { fileURLToPath } from 'node:url';
import { type Parameters, Stack, type Template } from './cloudformation.ts';
import { run, toolIsHere } from './tools.ts';

const TEMPLATE = fileURLToPath(new URL('../../template.yaml', import.meta.url));
const SCRIPT = fileURLToPath(new URL('sam_transform.py', import.meta.url));

/** REQUIRE_SAMTRANSLATOR=1 insists on it. */
export const samTranslatorIsHere = toolIsHere(
  "Python's aws-sam-translator",
  ['python3', '-c', 'import samtranslator'],
  'REQUIRE_SAMTRANSLATOR',
);

/** A template as CloudFormation sees it, once for each set of parameters: one run of the transform for all. */
export function samStacks<Name extends string>(
  sets: Readonly<Record<Name, Parameters>>,
  template = TEMPLATE,
): (name: Name) => Stack {
  const names = Object.keys(sets) as Name[];
  const templates = samTranslatorIsHere
    ? transform(
        template,
        names.map((name) => sets[name]),
      )
    : [];
  return (name) => {
    const transformed = templates[names.indexOf(name)];
    if (transformed === undefined) throw new Error(`There is no stack ${name}.`);
    return new Stack(transformed, sets[name]);
  };
}

/** Any other template, as CloudFormation sees it. */
export function transformed(path: string): Template {
  const [template] = transform(path, [{}]);
  if (template === undefined) throw new Error(`${path} was expected to be a template.`);
  return template;
}

function transform(template: string, parameters: readonly Parameters[]): Template[] {
  return JSON.parse(run('python3', [SCRIPT], JSON.stringify({ template, parameters })));
}
