import { expect, it } from 'vitest';
import { Password } from '../../../shared/secret/password.ts';
import { credentialOf, refusal } from '../../support/fake-rotation.ts';
import { FakeServer } from '../../support/fake-server.ts';

it.each([
  ['is refused after its commit', 'proceed', 'ROLE_BUSY', 'first'],
  ['goes on where it was given up', 'already-current', undefined, 'second'],
] as const)('who waits for somebody else to change the role %s, as on PostgreSQL', async (_, verdict, code, password) => {
  const server = new FakeServer().role('app', 'old');
  const held = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const login = credentialOf('current', 'v1');
  const change = async (to: string, guard: () => Promise<'proceed' | 'already-current'>) =>
    await server.login(login, async (roles) => {
      const role = await roles.lockOwn();
      // Locks are a database's own: it is the row that they meet at.
      await role.release();
      const prepared = await role.prepare(new Password(to), { credential: login, request: roles.request });
      return await prepared.apply(guard);
    });
  const first = change('first', async () => {
    held.resolve();
    await goOn.promise;
    return verdict;
  });
  await held.promise;
  const waits = new Promise<void>((resolve) => {
    server.before = (event) => void (event === 'begin' && resolve());
  });
  const second = change('second', () => Promise.resolve('proceed'));
  await waits;
  goOn.resolve();
  await first;
  if (code === undefined) await second;
  else expect(await refusal(second)).toMatchObject({ code });
  expect(server.passwordOf('app')).toBe(password);
});
