/** The template that needs no macro, held against what SAM's own transform makes of template.yaml. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainTemplate } from '../../../scripts/build/plain-template.ts';
import { asObject, type JsonObject, Stack, type Template } from '../../support/cloudformation.ts';
import { samStacks, samTranslatorIsHere, transformed } from '../../support/sam.ts';
import { run, toolIsHere } from '../../support/tools.ts';
import { ALTERNATING, VPC } from './stacks.ts';

const source = readFileSync(new URL('../../../template.yaml', import.meta.url), 'utf8');
const text = plainTemplate(source, '1.2.3');
const cfnLintIsHere = toolIsHere('cfn-lint', ['cfn-lint', '--version'], 'REQUIRE_CFN_LINT');
const stacks = samStacks({ sam: {} });

let folder: string;
let plain: Template;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plain-'));
  await writeFile(join(folder, 'cloudformation.yaml'), text);
  if (samTranslatorIsHere) plain = transformed(join(folder, 'cloudformation.yaml'));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Without what SAM adds to say that it was here, and without where the code is. */
function bare(resources: Template['Resources']): JsonObject {
  const entries = Object.entries(resources).map(([id, resource]) => {
    const { Metadata: _, Properties = {}, ...others } = asObject(JSON.parse(JSON.stringify(resource)));
    const { Code: _code, Tags: _tags, ...properties } = asObject(Properties);
    return [id, { ...others, Properties: properties }];
  });
  return Object.fromEntries(entries);
}

describe('the plain template', () => {
  it('asks for no macro and has no alias', () => {
    expect(text).not.toMatch(/^Transform:|AWS::Serverless|^Globals:/m);
    expect(text).not.toMatch(/[\s[{,:-][&*][A-Za-z]\w*(?:\s|$)/m);
  });

  it.skipIf(!cfnLintIsHere)('is lint-free', { timeout: 180_000 }, () => {
    expect(run('cfn-lint', ['--', join(folder, 'cloudformation.yaml')])).toBe('');
  });

  it('keeps the comments, since it is read before it is trusted', () => {
    const comments = (yaml: string) => yaml.match(/^ *# .*$/gm)?.map((line) => line.trim()) ?? [];
    const lost = comments(source).filter((line) => !comments(text).includes(line));
    expect(lost.filter((line) => !/SkipBuild|ReservedConcurrent|runs the bundle/.test(line))).toEqual([]);
  });
});

describe.skipIf(!samTranslatorIsHere)('beside the one that SAM transforms, the plain template', () => {
  it('makes the same resources, but for where the code is', () => {
    expect(bare(plain.Resources)).toEqual(bare(stacks('sam').template.Resources));
    expect(plain.Conditions).toEqual(stacks('sam').template.Conditions);
    expect(plain.Rules).toEqual(stacks('sam').template.Rules);
    expect(plain.Outputs).toEqual(stacks('sam').template.Outputs);
  });

  it('has the same parameters, and those that name the code', () => {
    const { CodeBucket, SingleUserCodeKey, AlternatingUsersCodeKey, ...others } = plain.Parameters;
    expect(others).toEqual(stacks('sam').template.Parameters);
    expect(CodeBucket).not.toHaveProperty('Default');
    expect(SingleUserCodeKey?.Default).toBe('postgres-secret-rotation/1.2.3/single-user.zip');
    expect(AlternatingUsersCodeKey?.Default).toBe('postgres-secret-rotation/1.2.3/alternating-users.zip');
  });

  it("takes each function's code from that bucket", () => {
    const stack = new Stack(plain, { ...VPC, ...ALTERNATING, CodeBucket: 'code', SingleUserCodeKey: 'mine.zip' });
    expect(stack.resource('SingleUserFunction').properties.Code).toEqual({ S3Bucket: 'code', S3Key: 'mine.zip' });
    expect(stack.resource('AlternatingUsersFunction').properties.Code).toEqual({
      S3Bucket: 'code',
      S3Key: 'postgres-secret-rotation/1.2.3/alternating-users.zip',
    });
  });
});
