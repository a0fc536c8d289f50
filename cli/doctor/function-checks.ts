/** Checks of the rotation function and of who may call it: pure judgements. */
import { RotationError } from '../../shared/errors.ts';
import { conditionHolds } from '../../shared/iam/policy-evaluation.ts';
import { readConfig } from '../../shared/lambda/config.ts';
import { type RotationFunction, strategyOf } from '../functions.ts';
import { broken, type Finding, ok, unknown, warning } from './finding.ts';

/** What template.yaml deploys the functions on; they run on any that Lambda supports. */
const BUILT_FOR = 24;
/** Deprecated by Lambda (developer guide, "Lambda runtimes"): no security patches, and updates are blocked. */
const NEWEST_DEPRECATED = 20;
const LEAST_TIMEOUT_S = 30;
/** Below this, Secrets Manager's own calls are throttled and rotations loop (its user guide, troubleshooting). */
const LEAST_CONCURRENCY = 10;

export function judgeFunction({ arn, name, configuration, reservedConcurrency }: RotationFunction): Finding[] {
  const { State, StateReason, LastUpdateStatus, Timeout = 0, Environment } = configuration;
  if (State === 'Failed' || LastUpdateStatus === 'Failed') {
    return [broken('function', `${name} can't run: ${StateReason ?? 'its last update failed'}`, 'Deploy it again.')];
  }
  const findings = [judgeRuntime(name, configuration)];
  if (Timeout < LEAST_TIMEOUT_S) {
    const remedy = `aws lambda update-function-configuration --function-name ${arn} --timeout 60`;
    findings.push(warning('time-out', `${Timeout} s: a slow database may take longer than that`, remedy));
  }
  if (reservedConcurrency !== undefined && reservedConcurrency < LEAST_CONCURRENCY) {
    const remedy = `aws lambda delete-function-concurrency --function-name ${arn}`;
    const message = `${reservedConcurrency} reserved, and fewer than ${LEAST_CONCURRENCY} make rotations loop`;
    findings.push(broken('concurrency', message, remedy));
  }
  return [...findings, ...judgeEnvironment(Environment?.Variables ?? {}, arn)];
}

function judgeRuntime(name: string, { Runtime, PackageType }: RotationFunction['configuration']): Finding {
  if (PackageType === 'Image')
    return unknown('function', `${name} is a container image, whose Node.js Lambda does not tell`);
  const major = Number(/^nodejs(\d+)\.x$/.exec(Runtime ?? '')?.[1]);
  const what = `${name} runs on ${Runtime ?? 'a runtime that Lambda does not tell'}`;
  if (Number.isNaN(major)) {
    return warning(
      'function',
      `${what}, so it is none of this project's functions`,
      'See docs/deploy.md, "From AWS\'s functions to these, and back".',
    );
  }
  if (major <= NEWEST_DEPRECATED) {
    return broken('function', `${what}, which Lambda no longer supports`, `Deploy it on nodejs${BUILT_FOR}.x.`);
  }
  return ok('function', `${what}, which is supported`);
}

/** As the function itself reads it, at its first call. */
function judgeEnvironment(variables: Readonly<Record<string, string>>, functionArn: string): Finding[] {
  try {
    readConfig(variables, strategyOf(functionArn));
    return [];
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    return [broken('environment', error.message, error.remedy)];
  }
}

export interface PermissionFacts {
  readonly functionArn: string;
  readonly secretArn: string;
  /** The function's resource policy (JSON); undefined where it has none. */
  readonly policy: string | undefined;
}

/** May Secrets Manager invoke it, and for nobody else's account? */
export function judgePermission({ functionArn, secretArn, policy }: PermissionFacts): Finding {
  const account = secretArn.split(':')[4] ?? '';
  const allowing = statementsOf(policy).filter(allowsSecretsManager);
  const command = `aws lambda add-permission --function-name ${functionArn} --statement-id secrets-manager --action lambda:InvokeFunction --principal secretsmanager.amazonaws.com --source-account ${account}`;
  if (allowing.length === 0) {
    return broken('invoke permission', 'Secrets Manager may not invoke the function', command);
  }
  const scopes = allowing.map((statement) => scopeOf(statement, secretArn));
  if (scopes.includes('this secret'))
    return ok('invoke permission', `Secrets Manager may invoke it for account ${account}`);
  if (scopes.includes('any account')) {
    const remedy = `Replace that permission by one with the account: ${command}`;
    return warning('invoke permission', 'Secrets Manager may invoke it for any account', remedy);
  }
  if (scopes.includes('not known')) return unknown('invoke permission', 'it has conditions that only IAM can judge');
  return broken('invoke permission', `Secrets Manager may invoke it, but not for ${secretArn}`, command);
}

interface Statement {
  readonly Effect?: unknown;
  readonly Action?: unknown;
  readonly Principal?: unknown;
  readonly Condition?: unknown;
}

function statementsOf(policy: string | undefined): Statement[] {
  const document: { readonly Statement?: Statement | Statement[] } = JSON.parse(policy ?? '{}');
  return [document.Statement ?? []].flat();
}

function allowsSecretsManager({ Effect, Action, Principal }: Statement): boolean {
  const actions = [Action].flat();
  const principals = [typeof Principal === 'object' && Principal !== null ? Object.values(Principal) : Principal].flat(
    2,
  );
  return (
    Effect === 'Allow' &&
    actions.some((action) => ['lambda:InvokeFunction', 'lambda:*', '*'].includes(String(action))) &&
    principals.some((principal) => ['secretsmanager.amazonaws.com', '*'].includes(String(principal)))
  );
}

type Scope = 'this secret' | 'any account' | 'others' | 'not known';

/** By the two keys that Secrets Manager's call has: anything else is not for us to judge. */
function scopeOf({ Condition = {} }: Statement, secretArn: string): Scope {
  const stranger = secretArn.replace(/:\d{12}:/, ':000000000000:');
  try {
    const keys = Object.values(Object(Condition)).flatMap((each) => Object.keys(Object(each)));
    if (!keys.every((key) => /^aws:source(account|arn)$/i.test(key))) return 'not known';
    if (!conditionHolds(Condition, callFor(secretArn))) return 'others';
    return conditionHolds(Condition, callFor(stranger)) ? 'any account' : 'this secret';
  } catch {
    return 'not known';
  }
}

function callFor(secretArn: string): Readonly<Record<string, string>> {
  return { 'aws:SourceArn': secretArn, 'aws:SourceAccount': secretArn.split(':')[4] ?? '' };
}
