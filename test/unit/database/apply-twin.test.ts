import { describe, expect, it } from 'vitest';
import { applyTwin } from '../../../shared/database/apply-twin.ts';
import type { ServerTraits } from '../../../shared/database/server-traits.ts';
import type { StoredForScram } from '../../../shared/rotation/ports.ts';
import { Password } from '../../../shared/secret/password.ts';
import { refusal } from '../../support/fake-rotation.ts';
import { FakeSession } from '../../support/fake-session.ts';
import { openedRole, USUAL_SERVER, USUAL_SETTINGS } from '../../support/opened-role.ts';
import { stateOf } from '../../support/twin-cases.ts';

interface Given {
  readonly version?: string;
  readonly server?: Partial<ServerTraits>;
  readonly scram?: StoredForScram;
}

/** An administrator's session that gives app_clone a new password. */
function session({ version = '18.1', server, scram }: Given) {
  const session = Object.assign(new FakeSession({ username: 'admin' }), { version });
  const { base: app, twin: app_clone, membership, link, ...state } = stateOf({});
  session.rows = ({ text }) =>
    text.includes('"thirdRoles"') ? [{ ...state, roles: { app, app_clone }, pair: { membership, link } }] : [];
  const apply = () =>
    applyTwin(
      session,
      { ...openedRole({ ...USUAL_SERVER, ...server }), twins: ['app', 'app_clone'] },
      USUAL_SETTINGS,
      {
        ...{ base: 'app', twin: 'app_clone', username: 'app_clone', database: 'shop', scram },
        password: new Password('new'),
        proven: () => Promise.resolve(false),
      },
      () => Promise.resolve('proceed'),
    );
  return { session, apply };
}

describe("a twin's new password", () => {
  it.each([
    ['15.15', false],
    ['16.11', true],
    ['18.1', true],
  ])('grants the administrator nothing by a setting of its own, on PostgreSQL %s', async (version, has) => {
    const { session: admin, apply } = session({ version, scram: true });
    expect(await apply()).toMatchObject({ verdict: 'changed' });
    expect(admin.sent[0]?.text.includes("SET LOCAL createrole_self_grant = '';")).toBe(has);
  });

  it('is set for SCRAM or as md5 as the other login is stored, and not where that can not be told', async () => {
    for (const [scram, form] of [
      [true, /^SCRAM-SHA-256\$/],
      [false, /^md5/],
    ] as const) {
      const { session: admin, apply } = session({ server: { method: 'md5' }, scram });
      await apply();
      expect(admin.sent.find(({ how }) => how === 'copy')?.data).toMatch(form);
    }
    const { session: admin, apply } = session({ server: { method: 'md5' }, scram: undefined });
    expect(await refusal(apply())).toMatchObject({ code: 'PASSWORD_FORM_UNKNOWN' });
    expect(admin.sent).toEqual([]);
  });
});
