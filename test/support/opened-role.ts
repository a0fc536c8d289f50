import type { OpenedRole } from '../../shared/database/role-lock.ts';
import type { ServerTraits } from '../../shared/database/server-traits.ts';
import type { DatabaseSettings } from '../../shared/database/settings.ts';

/** What operators have who have chosen nothing. */
export const USUAL_SETTINGS: DatabaseSettings = {
  passwordHashing: 'client',
  tlsFallback: false,
  allowPooler: false,
  alternatingSetRole: true,
};

/** A server as they are by default, with passwords set in silence. */
export const USUAL_SERVER: ServerTraits = {
  method: 'scram-sha-256',
  iterations: 4096,
  standby: false,
  mayUseTemp: true,
  mayUsePlpgsql: true,
  ddlTriggers: [],
  statistics: [],
};

/** The user's own role, locked a moment after the login. */
export function openedRole(server: ServerTraits, pooled = false): OpenedRole {
  return { server, pooled, twins: [], actAsBefore: '', fresh: true, release: () => Promise.resolve(true) };
}
