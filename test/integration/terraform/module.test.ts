/** The module by Terraform's own means: its form, its types, and its tests on a provider that makes everything up. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { codeBlocks } from '../../support/documents.ts';
import { TerraformFolder, terraformIsHere } from '../../support/terraform.ts';
import { blocksOf } from '../../support/terraform-docs.ts';

const MODULE = new URL('../../../terraform/', import.meta.url);

describe.skipIf(!terraformIsHere)('the module', { timeout: 240_000 }, () => {
  it('is formatted as Terraform formats, examples and tests too', async () => {
    await using folder = await TerraformFolder.create();
    expect(await folder.run(['fmt', '-check', '-diff', '-recursive'], 'module')).toBe('');
  });

  it('is valid, and so are its examples', async () => {
    await using folder = await TerraformFolder.create();
    const examples = readdirSync(new URL('examples/', MODULE));
    expect(examples.length).toBeGreaterThan(2);
    // The examples as modules of one configuration: one start of the provider for all of them.
    const variables = (example: string) =>
      blocksOf('variable', `examples/${example}/`)
        .filter(({ default: preset }) => preset === undefined)
        .map(({ name }) => [name, `\${var.${example}_${name}}`]);
    await folder.write('main.tf.json', {
      variable: Object.fromEntries(
        examples.flatMap((example) =>
          blocksOf('variable', `examples/${example}/`)
            .filter(({ default: preset }) => preset === undefined)
            .map(({ name }) => [`${example}_${name}`, { ephemeral: name === 'initial_password' }]),
        ),
      ),
      module: Object.fromEntries(
        examples.map((example) => [
          example,
          { source: `./module/examples/${example}`, ...Object.fromEntries(variables(example)) },
        ]),
      ),
    });
    // What docs/deploy.md shows, as one configuration too; there the module stands in ./terraform.
    const shown = codeBlocks('docs/deploy.md', 'hcl').join('\n');
    await folder.write('shown.tf', shown.replace('"./terraform"', '"./module"'));
    await folder.run(['init']);
    expect(JSON.parse(await folder.run(['validate', '-json']))).toMatchObject({ valid: true, diagnostics: [] });
  });

  it('passes its own tests', async () => {
    await using folder = await TerraformFolder.create();
    await folder.run(['init'], 'module');
    expect(await folder.run(['test'], 'module')).toMatch(/Success! \d+ passed, 0 failed\./);
  });
});
