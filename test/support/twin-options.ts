/** What a test may wish of two twins and their administrator. */
import type { AppRoleOptions } from '../../scripts/lab/database/app-role.ts';
import type { SecretMembers } from './test-secret.ts';

/**
 * Who the superuser secret is for. None but the first is a superuser; all others have CREATEROLE.
 *
 * - creator: made the base role, and so administers it
 * - admin-option: was granted the base role WITH ADMIN OPTION
 * - createrole: has nothing besides, which is enough before PostgreSQL 16
 */
export type AdminKind = 'superuser' | 'creator' | 'admin-option' | 'createrole';

export interface TwinOptions extends Partial<Omit<AppRoleOptions, 'createdBy'>> {
  /** Default: superuser. */
  readonly admin?: AdminKind;
  /** Within the scope, for tests with several. Default: 'admin'. */
  readonly adminName?: string;
  /** Further SQL of the administrator's CREATE ROLE. */
  readonly adminAttributes?: string;
  /** Of the function. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Of the function. */
  readonly timeoutMs?: number | undefined;
  /** More or other members of the application's secret. */
  readonly members?: SecretMembers;
  /** More or other members of the superuser secret. */
  readonly superuserMembers?: SecretMembers;
}
