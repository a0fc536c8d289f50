/** Whom AWS is asked as, and by which way: what the AWS CLI heeds, `rotation` heeds. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/lab/database/certificate-authority.ts';
import { RotationCommand } from '../../support/command.ts';
import { DeafService } from '../../support/deaf-service.ts';
import { TokenService } from '../../support/token-service.ts';
import { toolIsHere } from '../../support/tools.ts';

const hasTerminal = toolIsHere("util-linux's script", ['script', '--version'], 'REQUIRE_TERMINAL');

const folder = await mkdtemp(join(tmpdir(), 'aws-configuration-'));
afterAll(async () => await rm(folder, { recursive: true }));
const files = {
  AWS_CONFIG_FILE: join(folder, 'config'),
  AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
};
const ROLE = 'role_arn = arn:aws:iam::123456789012:role/operator\nsource_profile = base\n';
await writeFile(files.AWS_SHARED_CREDENTIALS_FILE, '[base]\naws_access_key_id = k\naws_secret_access_key = s\n');
await writeFile(
  files.AWS_CONFIG_FILE,
  [
    `[profile role]\n${ROLE}`,
    `[profile mfa]\n${ROLE}mfa_serial = arn:aws:iam::123456789012:mfa/me\n`,
    '[profile sso]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = operator\n',
    '[sso-session work]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n',
  ].join('\n'),
);

const envFor = (sts: TokenService) => ({ ...files, AWS_ENDPOINT_URL_STS: sts.endpoint });

describe('credentials', () => {
  it.skipIf(!hasTerminal)('of a profile with MFA: asks for the code, once', async () => {
    await using service = await DeafService.start({ answers: true });
    await using sts = await TokenService.start('123456');
    await using command = new RotationCommand(service);
    const running = command.onTerminal(['doctor', 'a', '--profile', 'mfa'], { env: envFor(sts) });
    await running.says('MFA code of arn:aws:iam::123456789012:mfa/me:');
    running.type('123456\r');
    await running.ended();
    expect(sts.codes).toEqual(['123456']);
    expect(new Set(service.accessKeys)).toEqual(new Set(['of-the-session']));
  });

  it.skipIf(!hasTerminal)('of a profile with MFA: a wrong code is told as what it is', async () => {
    await using service = await DeafService.start({ answers: true });
    await using sts = await TokenService.start('123456');
    await using command = new RotationCommand(service);
    const running = command.onTerminal(['status', 'a', '--profile', 'mfa'], { env: envFor(sts) });
    await running.says('MFA code of');
    running.type('000000\r');
    expect((await running.ended()).exitCode).toBe(1);
    expect(running.text).toMatch(/invalid MFA one time pass code\.\s+what to do: Try again/);
  });

  it('of a profile with MFA, where there is nobody to ask: says so', async () => {
    await using service = await DeafService.start({ answers: true });
    await using sts = await TokenService.start('123456');
    await using command = new RotationCommand(service);
    const { exitCode, stderr } = await command.run(['status', 'a', '--profile', 'mfa'], { env: envFor(sts) });
    expect({ exitCode, codes: sts.codes }).toEqual({ exitCode: 2, codes: [] });
    expect(stderr).toMatch(/asks for an MFA code, and there is no terminal.*\n.*aws configure export-credentials/);
  });

  it('of a role that may not be taken on: names sts:AssumeRole', async () => {
    await using service = await DeafService.start({ answers: true });
    await using sts = await TokenService.start();
    await using command = new RotationCommand(service);
    const { exitCode, stderr } = await command.run(['status', 'a', '--profile', 'role'], { env: envFor(sts) });
    expect({ exitCode, keys: service.accessKeys }).toEqual({ exitCode: 1, keys: [] });
    expect(stderr).toMatch(/could not be taken on \(sts:AssumeRole\): User: .*\n.*Allow sts:AssumeRole/);
  });

  it.each([
    ['--profile', ['--profile', 'sso'], {}],
    ['AWS_PROFILE', [], { AWS_PROFILE: 'sso' }],
  ])('of SSO without a session: says how to log in (%s)', async (_, args, env) => {
    await using service = await DeafService.start({ answers: true });
    await using command = new RotationCommand(service);
    const { exitCode, stderr } = await command.run(['status', 'a', ...args], { env: { ...files, ...env } });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(/nobody is logged in by SSO.*\n.*aws sso login --profile sso\n/),
    });
  });
});

describe('the way to AWS', () => {
  /** @returns the URLs that a proxy was asked for. */
  async function throughProxy(env: (proxy: string) => Readonly<Record<string, string>>): Promise<string[]> {
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' }).end('{"__type":"X"}');
    });
    proxy.on('connect', (request, socket) => {
      asked.push(request.url ?? '');
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    await using command = new RotationCommand({ endpoint: 'https://secretsmanager.invalid' });
    await command.run(['status', 'a'], { env: { AWS_MAX_ATTEMPTS: '1', ...env(url) } });
    proxy.closeAllConnections();
    proxy.close();
    return asked;
  }

  it('leads through HTTPS_PROXY', async () => {
    const asked = await throughProxy((proxy) => ({ HTTPS_PROXY: proxy }));
    expect(asked).toEqual(['secretsmanager.invalid:443']);
  });

  it('does not where NO_PROXY names the host', async () => {
    expect(await throughProxy((proxy) => ({ HTTPS_PROXY: proxy, NO_PROXY: '.invalid' }))).toEqual([]);
  });

  it('trusts the certificates of AWS_CA_BUNDLE', async () => {
    const authority = await CertificateAuthority.create();
    const bundle = join(folder, 'bundle.pem');
    await writeFile(bundle, authority.certificate);
    await using service = await DeafService.start({ answers: true, tls: await authority.issue(['localhost']) });
    await using command = new RotationCommand(service);
    const once = { AWS_MAX_ATTEMPTS: '1' };
    const trusting = await command.run(['status', 'a'], { env: { ...once, AWS_CA_BUNDLE: bundle } });
    expect(trusting.stderr).toContain('Nothing is here.');
    const other = await command.run(['status', 'a'], { env: once });
    expect(other).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('certificate') });
    const missing = await command.run(['status', 'a'], { env: { ...once, AWS_CA_BUNDLE: join(folder, 'gone') } });
    expect(missing).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/AWS_CA_BUNDLE must name .*ENOENT/) });
  });
});
