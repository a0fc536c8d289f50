/** Applications that log in with a rotated secret, each as its library would have it. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import { isRefusedPassword, rotatingPool, secretLogin } from '../../client/index.ts';

export interface Application {
  /** One login, and the end of its session. */
  logIn(): Promise<void>;
  close(): Promise<void>;
}

export interface ApplicationKind {
  readonly name: string;
  /**
   * Where Secrets Manager is, and as whom to ask it, is in the process's environment, as for an application.
   *
   * @param packages the folder whose node_modules the library is in.
   * @returns undefined where it is not installed.
   */
  start(secretId: string, packages: string): Promise<Application | undefined>;
}

interface Value {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly dbname: string;
}

/** All find in the environment of the process what they need, as AWS's libraries do. */
const secretsManager = () => new SecretsManagerClient();

async function logInWith({ host, port, username, password, dbname }: Value): Promise<void> {
  const client = new pg.Client({ host, port, user: username, password, database: dbname, ssl: false });
  client.on('error', () => {});
  try {
    await client.connect();
  } finally {
    await client.end();
  }
}

async function currentValue(client: SecretsManagerClient, SecretId: string): Promise<Value> {
  const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId }));
  return JSON.parse(SecretString);
}

const fetching: ApplicationKind = {
  name: 'pg, AWSCURRENT fetched at each login',
  async start(secretId) {
    const client = secretsManager();
    return {
      logIn: async () => logInWith(await currentValue(client, secretId)),
      close: async () => client.destroy(),
    };
  },
};

interface PowertoolsSecrets {
  readonly SecretsProvider: new (options: {
    awsSdkV3Client: SecretsManagerClient;
  }) => { get(name: string, options: { transform: 'json' }): Promise<Value> };
}

const powertools: ApplicationKind = {
  name: "pg, Powertools' cache of 5 s",
  async start(secretId, packages) {
    const installed = await load('@aws-lambda-powertools/parameters/secrets', packages);
    if (installed === undefined) return undefined;
    const { SecretsProvider }: PowertoolsSecrets = installed;
    const client = secretsManager();
    const provider = new SecretsProvider({ awsSdkV3Client: client });
    return {
      logIn: async () => logInWith(await provider.get(secretId, { transform: 'json' })),
      close: async () => client.destroy(),
    };
  },
};

interface AwsWrapper {
  readonly AwsPGClient: new (
    options: Readonly<Record<string, unknown>>,
  ) => {
    connect(): Promise<unknown>;
    end(): Promise<unknown>;
  };
}

const awsWrapper: ApplicationKind = {
  name: "AWS's Node wrapper",
  async start(secretId, packages) {
    const installed = await load('aws-advanced-nodejs-wrapper/pg', packages);
    if (installed === undefined) return undefined;
    const { AwsPGClient }: AwsWrapper = installed;
    const client = secretsManager();
    const { host, port, dbname } = await currentValue(client, secretId);
    client.destroy();
    const options = { host, port, database: dbname, user: '', password: '', ssl: false, plugins: 'secretsManager' };
    const secret = { secretId };
    return {
      async logIn() {
        const session = new AwsPGClient({ ...options, ...secret });
        try {
          await session.connect();
        } finally {
          await session.end();
        }
      },
      close: async () => {},
    };
  },
};

const ourPool: ApplicationKind = {
  name: 'rotatingPool()',
  async start(secretId) {
    const client = secretsManager();
    const login = secretLogin({ secretId, client });
    // A session for each login, since none is kept.
    const pool = rotatingPool(login, { max: 40, maxUses: 1, connectionTimeoutMillis: 10_000 });
    return {
      logIn: async () => (await pool.connect()).release(),
      close: async () => {
        await pool.end();
        client.destroy();
      },
    };
  },
};

const ourLogin: ApplicationKind = {
  name: 'secretLogin(), pg.Client',
  async start(secretId) {
    const client = secretsManager();
    const login = secretLogin({ secretId, client });
    const logIn = async (): Promise<void> => {
      const now = await login.current();
      const { host, port, username, password, dbname } = now;
      try {
        await logInWith({ host, port, username, password, dbname });
      } catch (error) {
        if (!isRefusedPassword(error) || !(await login.refused(now.versionId))) throw error;
        await logIn();
      }
    };
    return { logIn, close: async () => client.destroy() };
  },
};

export const APPLICATIONS: readonly ApplicationKind[] = [fetching, powertools, awsWrapper, ourPool, ourLogin];

async function load(name: string, packages: string) {
  let path: string;
  try {
    path = createRequire(join(packages, 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
  return await import(pathToFileURL(path).href);
}
