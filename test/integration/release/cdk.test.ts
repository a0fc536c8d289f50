/** The CDK snippets of docs/deploy.md, synthesized with a release's own files. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRelease } from '../../../scripts/build/release.ts';
import { codeBlocks } from '../../support/documents.ts';
import { releaseLibrary } from '../../support/release-libraries.ts';

const cdk = releaseLibrary('aws-cdk-lib');

const APPLICATION = `
import { App, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AppRotation } from './attached.ts';
import { Rotation } from './rotation.ts';

const app = new App({ outdir: 'out' });
new Rotation(app, 'Rotation', { release: process.env.RELEASE, parameters: { AlarmEmail: 'ops@example.com' } });
const secrets = new Stack(app, 'Secrets');
new AppRotation(app, 'Attached', { secret: new Secret(secrets, 'App'), rotationFunctionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:rotation' });
app.synth();
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdk-'));
  if (cdk === undefined) return;
  await makeRelease(join(folder, 'release'));
  await symlink(join(cdk, '..'), join(folder, 'node_modules'));
  const [attached = '', rotation = ''] = codeBlocks('docs/deploy.md', 'ts');
  // The snippets are TypeScript that Node strips.
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'attached.ts'), attached);
  await writeFile(join(folder, 'rotation.ts'), rotation);
  await writeFile(join(folder, 'app.ts'), APPLICATION);
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(cdk === undefined)('an application of the CDK', () => {
  test('includes the plain template with the zips as its assets, and attaches a secret', {
    timeout: 120_000,
  }, async () => {
    const env = { PATH: process.env.PATH, RELEASE: join(folder, 'release') };
    await promisify(execFile)(process.execPath, ['app.ts'], { cwd: folder, env });
    const { Resources, Parameters, Transform } = JSON.parse(
      await readFile(join(folder, 'out/Rotation.template.json'), 'utf8'),
    );
    expect(Transform).toBeUndefined();
    expect(Parameters).not.toHaveProperty('CodeBucket');
    expect(Resources.SingleUserFunction.Type).toBe('AWS::Lambda::Function');
    const keys = ['SingleUserFunction', 'AlternatingUsersFunction'].map((id) => Resources[id].Properties.Code.S3Key);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}\.zip$/);
    expect(new Set(keys).size).toBe(2);
    const assets = (await readdir(join(folder, 'out'))).filter((name) => /^asset\..*\.zip$/.test(name));
    expect(assets).toHaveLength(2);
    const attached = JSON.parse(await readFile(join(folder, 'out/Attached.template.json'), 'utf8'));
    expect(Object.values(attached.Resources)).toMatchObject([
      { Type: 'AWS::SecretsManager::RotationSchedule', Properties: { RotateImmediatelyOnUpdate: false } },
    ]);
  });
});
