/** What is written about the Terraform module is what its files say, and its variables are the template's parameters. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { codeBlocks } from '../../support/documents.ts';
import { samStacks, samTranslatorIsHere } from '../../support/sam.ts';
import { blocksOf, inputTable, outputTable } from '../../support/terraform-docs.ts';
import { variableOf } from '../../support/terraform-variables.ts';

const MODULE = new URL('../../../terraform/', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, MODULE), 'utf8');
const readme = read('README.md');
const stacks = samStacks({ plain: {} });
const examples = readdirSync(new URL('examples/', MODULE));

/** What the module can do and CloudFormation does otherwise, or by itself. */
const MODULE_ALONE = [
  // The names and tags of a stack.
  'name',
  'tags',
  'packages',
  's3_packages',
  'existing_role_arns',
  'keep_network_permissions',
];

describe("the module's README", () => {
  it('lists its inputs and its outputs', () => {
    expect(readme).toContain(`\n${inputTable()}\n`);
    expect(readme).toContain(`\n${outputTable()}\n`);
  });

  it('lists the attributes of a secret', () => {
    const [, type = ''] =
      /variable "secrets" \{.*?object\(\{\n(.*?)\n {2}\}\)\)/s.exec(read('variables_rotation.tf')) ?? [];
    const attributes = Array.from(type.matchAll(/^ +(\w+) += /gm), ([, name]) => name);
    const listed = Array.from(
      (readme.split('Each of `secrets` has')[1] ?? '').matchAll(/^\| `(\w+)` /gm),
      ([, name]) => name,
    );
    expect(attributes.length).toBeGreaterThan(3);
    expect(listed.slice(0, attributes.length)).toEqual(attributes);
  });

  it('requires the versions that the module requires', () => {
    const versions = read('versions.tf');
    const [, terraform] = /required_version = "(.*)"/.exec(versions) ?? [];
    const [, provider] = /version = "(.*)"/.exec(versions.split('required_providers')[1] ?? '') ?? [];
    expect(readme).toContain(`| terraform | ${terraform} |`);
    expect(readme).toContain(`| aws | ${provider} |`);
  });

  it('uses only variables that there are', () => {
    const known = blocksOf('variable').map(({ name }) => name);
    const [example = ''] = codeBlocks('terraform/README.md', 'hcl');
    const used = Array.from(example.matchAll(/^ {2}(\w+) +=/gm), ([, name]) => name).filter(
      (name) => name !== 'source',
    );
    expect(used.length).toBeGreaterThan(3);
    expect(known).toEqual(expect.arrayContaining(used));
  });

  it('links to every example', () => {
    for (const example of examples) expect(readme).toContain(`(examples/${example})`);
  });
});

describe('the module and its examples', () => {
  it.each([
    '',
    ...examples.map((example) => `examples/${example}/`),
  ])('describe each variable and output of "%s"', (folder) => {
    const blocks = [...blocksOf('variable', folder), ...blocksOf('output', folder)];
    expect(blocks.length).toBeGreaterThan(0);
    expect(blocks.filter(({ description }) => !/^\S.*\S$/.test(description))).toEqual([]);
  });

  it('refuse each value that makes no sense, in a test', () => {
    const refused = read('tests/refusals.tftest.hcl');
    const texts = ['variables.tf', 'variables_rotation.tf', 'variables_monitoring.tf'].map(read).join('\n');
    const validated = Array.from(texts.matchAll(/^variable "(\w+)" \{\n(.*?)^\}/gms))
      .filter(([, , body = '']) => body.includes('validation {'))
      .map(([, name]) => name);
    expect(validated.length).toBeGreaterThan(20);
    expect(validated.filter((name) => !refused.includes(`var.${name},`))).toEqual([]);
  });
});

describe.skipIf(!samTranslatorIsHere)("the module's variables", () => {
  it("are the template's parameters, but for what is one's own", () => {
    const parameters = Object.keys(stacks('plain').template.Parameters);
    const wanted = new Set([...parameters.map(variableOf), ...MODULE_ALONE]);
    expect(blocksOf('variable').map(({ name }) => name)).toEqual([...wanted].toSorted());
  });

  it("and its outputs are the template's, with the roles' policies besides", () => {
    const snake = (name: string) => name.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
    const outputs = Object.keys(stacks('plain').template.Outputs).map(snake);
    // Several policies, where one would be too long.
    const wanted = [...outputs.map((name) => name.replace('policy_arn', 'policy_arns')), 'role_policies'];
    expect(blocksOf('output').map(({ name }) => name)).toEqual(wanted.toSorted());
  });
});
