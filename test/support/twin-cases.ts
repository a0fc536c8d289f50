import { expect } from 'vitest';
import { planTwin, type TwinPlan, type TwinPlanOptions } from '../../shared/database/twin-plan.ts';
import type { AdminState, Membership, RoleState, ThirdRole, TwinState } from '../../shared/database/twin-state.ts';
import type { TwinLink } from '../../shared/rotation/ports.ts';
import { LINKED } from './fake-server.ts';

const ROLE: RoleState = {
  superuser: false,
  canLogin: true,
  inherit: true,
  replication: false,
  createDb: false,
  createRole: false,
  bypassRls: false,
  connectionLimit: -1,
  validUntil: null,
  expired: false,
  settings: {},
  adminOption: true,
};
const TWIN: RoleState = { ...ROLE, settings: { '': ['role=app'] } };
const MEMBER: Membership = { inherit: true, set: true };
const ADMIN: AdminState = {
  name: 'admin',
  superuser: false,
  createRole: true,
  replication: false,
  createDb: false,
  bypassRls: false,
  rdsSuperuser: false,
  forbiddenSettings: [],
};

/** What differs from two twins that are as they should be, and an administrator who may do what that takes. */
export interface Case {
  readonly admin?: Partial<AdminState>;
  readonly base?: Partial<RoleState> | null;
  /** Null: there is none. */
  readonly twin?: Partial<RoleState> | null;
  readonly membership?: Partial<Membership> | null;
  readonly link?: Partial<TwinLink>;
  readonly thirdRoles?: readonly ThirdRole[];
  readonly turn?: 'twin' | 'base';
}

/** What the server has of them. */
export function stateOf({ admin, base, twin, membership, link, thirdRoles = [] }: Omit<Case, 'turn'>): TwinState {
  return {
    admin: { ...ADMIN, ...admin },
    base: base === null ? null : { ...ROLE, ...base },
    twin: twin === null ? null : { ...TWIN, ...twin },
    membership: membership === null || twin === null ? null : { ...MEMBER, ...membership },
    link: twin === null ? null : { ...LINKED, ...(membership === null ? { membership: 'none' } : {}), ...link },
    thirdRoles,
  };
}

export function planOf({ turn = 'twin', ...which }: Case, options: Partial<TwinPlanOptions> = {}): TwinPlan {
  const change = { base: 'app', twin: 'app_clone', username: turn === 'twin' ? 'app_clone' : 'app' };
  return planTwin(stateOf(which), change, { setRole: true, version: 18, provenByLogin: false, ...options });
}

/** Its statements. */
export function plan(which: Case, options: Partial<TwinPlanOptions> = {}): readonly string[] {
  return planOf(which, options).statements;
}

/** What the plan is refused with. */
export function refusal(which: Case, options: Partial<TwinPlanOptions> = {}): unknown {
  try {
    plan(which, options);
  } catch (error) {
    return error;
  }
  return expect.unreachable('The plan was expected to be refused.');
}
