/** "This RDS proxy has no credentials for the role app. Check the credentials for this role and try again." */
const PROXY_HAS_NONE = /\bno credentials for the role\b/i;

/**
 * Whether an error says that the server refused the user's password, and nothing else; pure. Known by codes, in
 * whatever language the server speaks, and not by the driver's class, of which a process may hold several.
 *
 * - 28P01 invalid_password: PostgreSQL and PgBouncer
 * - 28000 by the server's routine auth_failed: Amazon Redshift, and methods of PostgreSQL without a code of their own
 * - RDS Proxy, of a user whose secret it has not read: by its words, as it has no code for it
 */
export function isRefusedPassword(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, routine } = error as { code?: unknown; routine?: unknown };
  if (code === '28P01') return true;
  if (code === '28000' && routine === 'auth_failed') return true;
  // With an SQLSTATE it is the server that speaks, not the network.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && PROXY_HAS_NONE.test(error.message);
}
