import { fileURLToPath } from 'node:url';
import { RotateSecretCommand, TagResourceCommand } from '@aws-sdk/client-secrets-manager';
import type { FunctionDetails } from '../../scripts/lab/functions/function-registry.ts';
import type { StrategyName } from '../../shared/rotation/strategy.ts';
import type { TestAccount } from './test-account.ts';

const NAMES: Readonly<Record<StrategyName, string>> = {
  'single-user': 'rotation-SingleUserFunction',
  'alternating-users': 'rotation-AlternatingUsersFunction',
};

export interface DeployOptions {
  readonly named?: string;
  readonly timeoutMs?: number;
  readonly environment?: Record<string, string>;
  readonly settings?: Partial<FunctionDetails>;
}

/** A rotation function under a name as template.yaml gives it. @returns its ARN. */
export function deploy(account: TestAccount, strategy: StrategyName, options: DeployOptions = {}): string {
  const { named = '', ...more } = options;
  const bundle = fileURLToPath(new URL(`../../dist/${strategy}/index.mjs`, import.meta.url));
  return account.lab.functions.register({ name: `${NAMES[strategy]}${named}`, bundle, ...more });
}

/** Attaches without rotating. */
export async function attachTo(account: TestAccount, secretArn: string, functionArn: string): Promise<void> {
  await account.client.send(
    new RotateSecretCommand({
      SecretId: secretArn,
      RotationLambdaARN: functionArn,
      RotationRules: { AutomaticallyAfterDays: 30 },
      RotateImmediately: false,
    }),
  );
  await account.lab.settled(secretArn);
}

export async function tag(
  account: TestAccount,
  secretArn: string,
  tags: Readonly<Record<string, string>>,
): Promise<void> {
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  await account.client.send(new TagResourceCommand({ SecretId: secretArn, Tags }));
}
