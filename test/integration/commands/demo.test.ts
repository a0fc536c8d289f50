import { expect, it } from 'vitest';
import { ProjectCommand, passwordsIn } from './project-command.ts';

const DEMO = 'scripts/demo.ts';

it('shows both strategies, checks everything, and leaves nothing behind', async () => {
  await using demo = await ProjectCommand.start(DEMO);
  const exitCode = await demo.exitCode();
  expect(demo.stderr).toBe('');
  expect({ exitCode, leftovers: await demo.leftovers() }).toEqual({ exitCode: 0, leftovers: [] });

  const text = demo.stdout;
  expect(text.match(/^(First|Second|Third) rotation/gm)).toHaveLength(6);
  for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret']) {
    expect(text.match(new RegExp(`^ +${step} +\\d+ m?s  \\S`, 'gm'))).toHaveLength(6);
  }
  expect(text.match(/✓ the server refuses the old password/g)).toHaveLength(2);
  expect(text.match(/✓ the server accepts the new password/g)).toHaveLength(2);
  expect(text.match(/✓ shop reads and writes its table orders: \d rows/g)).toHaveLength(2);
  expect(text).toMatch(/[0-9a-f]{8} {2}shop +AWSCURRENT +AWSPREVIOUS\n/);
  expect(text).toMatch(/with this project's secretLogin\(\) +[1-9][\d ]* +0\n/);
  expect(text).toMatch(/fetches AWSCURRENT before each login +[1-9][\d ]* +0\n/);
  expect(text).toMatch(/keeps each credential for a whole rotation +[1-9][\d ]* +0\n/);
  expect(text).toMatch(/billing_clone {2}billing +invoices_\d +billing\n/);
  expect(text).not.toContain('✗');
  expect(text).toMatch(/All \d+ checks passed in [\d.]+ s\. Nothing was left behind\.\n$/);

  expect(passwordsIn(text)).toEqual([]);
  expect(text).not.toContain('\u001b');
});

it('leaves nothing behind after Ctrl-C', async () => {
  await using demo = await ProjectCommand.start(DEMO);
  await demo.printed('First rotation');
  expect(await demo.leftovers()).not.toEqual([]);
  const exitCode = await demo.interrupt();
  expect({ exitCode, leftovers: await demo.leftovers() }).toEqual({ exitCode: 130, leftovers: [] });
  expect(demo.stdout).toMatch(/Interrupted\. Everything was stopped and removed\.\n$/);
  expect(demo.stderr).toBe('');
});

it('leaves nothing behind after Ctrl-C while it starts', async () => {
  await using demo = await ProjectCommand.start(DEMO);
  await demo.printed('Starting');
  expect(await demo.interrupt()).toBe(130);
  expect(await demo.leftovers()).toEqual([]);
});

it('takes no arguments', async () => {
  await using demo = await ProjectCommand.start(DEMO, ['twice']);
  expect(await demo.exitCode()).toBe(2);
  expect(demo.stderr).toMatch(/^No more than 0 arguments were needed, found 1\.\n/);
});
