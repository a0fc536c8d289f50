/** What operators can choose of how databases are dealt with; the README lists the environment variables. */
export interface DatabaseSettings {
  readonly passwordHashing: PasswordHashing;
  /** Whether a secret without an `ssl` key may fall back to plain text where the server has no TLS. */
  readonly tlsFallback: boolean;
  /** Whether a connection pooler that asks the server for each password may stand before the database. */
  readonly allowPooler: boolean;
  /** Alternating users: whether the twin acts as the base role; `false` keeps the behaviour of AWS's clones. */
  readonly alternatingSetRole: boolean;
}

/** Who computes what PostgreSQL stores: the function (the password never leaves it) or the server. */
export type PasswordHashing = 'client' | 'server';
