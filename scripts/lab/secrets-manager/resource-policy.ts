/**
 * A secret's resource policy, read as IAM's grammar has it (IAM user guide, "Grammar of the IAM JSON policy language").
 * Pure. The two wordings are the service's own: reported of PutResourcePolicy (awsdocs/aws-cloudformation-user-guide#623,
 * and what Terraform's provider waits for).
 */
import { ACCOUNT_ID } from '../account.ts';
import { ServiceError } from '../http/service.ts';

export interface PolicyStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly principals: readonly Principal[];
  readonly conditional: boolean;
}

interface Principal {
  readonly kind: string;
  readonly value: string;
}

type Members = Readonly<Record<string, unknown>>;

const VERSIONS: readonly unknown[] = [undefined, '2012-10-17', '2008-10-17'];
const PRINCIPALS: ReadonlySet<string> = new Set(['AWS', 'Service', 'Federated', 'CanonicalUser']);
const AWS_PRINCIPAL =
  /^(\*|\d{12}|arn:aws[a-z-]*:(iam::\d{12}:(root|(user|role)\/.+)|sts::\d{12}:(assumed-role|federated-user)\/.+))$/;
const SERVICE = /^[a-z0-9.-]+\.amazonaws\.com(\.cn)?$/;
const ACTION = /^(\*|secretsmanager:[A-Za-z*?]+)$/i;

/**
 * @param exists whether this account has the user or role of an ARN; those of other accounts can't be known.
 * @throws MalformedPolicyDocumentException
 */
export function parsePolicy(text: string, exists: (arn: string) => boolean): PolicyStatement[] {
  const document = only(['Version', 'Id', 'Statement'], parseObject(text));
  if (!VERSIONS.includes(document.Version)) throw invalidSyntax();
  const statements = [document.Statement].flat().map(parseStatement);
  const sids = statements.flatMap(({ sid }) => sid ?? []);
  if (statements.length === 0 || new Set(sids).size < sids.length) throw invalidSyntax();
  for (const { kind, value } of statements.flatMap(({ principals }) => principals))
    refuseUnsupported(kind, value, exists);
  return statements;
}

/** Whether anybody at all is let in. */
export const isPublic = (statements: readonly PolicyStatement[]) =>
  statements.some(
    ({ effect, principals, conditional }) =>
      effect === 'Allow' && !conditional && principals.some(({ kind, value }) => kind === 'AWS' && value === '*'),
  );

function parseStatement(statement: unknown): PolicyStatement & { readonly sid: string | undefined } {
  const known = [
    'Sid',
    'Effect',
    'Principal',
    'NotPrincipal',
    'Action',
    'NotAction',
    'Resource',
    'NotResource',
    'Condition',
  ];
  const { Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition } = only(
    known,
    statement,
  );
  if (Sid !== undefined && typeof Sid !== 'string') throw invalidSyntax();
  if (Effect !== 'Allow' && Effect !== 'Deny') throw invalidSyntax();
  if (!texts(either(Action, NotAction)).every((action) => ACTION.test(action))) throw invalidSyntax();
  texts(either(Resource, NotResource));
  if (Condition !== undefined) for (const keys of Object.values(object(Condition))) object(keys);
  const principals = parsePrincipals(either(Principal, NotPrincipal));
  return { sid: Sid, effect: Effect, principals, conditional: Condition !== undefined };
}

function parsePrincipals(principal: unknown): Principal[] {
  if (principal === '*') return [{ kind: 'AWS', value: '*' }];
  const kinds = Object.entries(object(principal));
  if (kinds.length === 0 || !kinds.every(([kind]) => PRINCIPALS.has(kind))) throw invalidSyntax();
  return kinds.flatMap(([kind, values]) => texts(values).map((value) => ({ kind, value })));
}

function refuseUnsupported(kind: string, value: string, exists: (arn: string) => boolean): void {
  if (kind === 'Service' && !SERVICE.test(value)) {
    throw malformed('This resource policy contains an invalid service principal');
  }
  if (kind !== 'AWS') return;
  const isOurs = value.includes(`:iam::${ACCOUNT_ID}:`) && !value.endsWith(':root');
  if (!AWS_PRINCIPAL.test(value) || (isOurs && !exists(value))) {
    throw malformed('This resource policy contains an unsupported principal');
  }
}

/** Exactly one of the two. */
function either(one: unknown, other: unknown): unknown {
  if ((one === undefined) === (other === undefined)) throw invalidSyntax();
  return one ?? other;
}

function texts(value: unknown): string[] {
  const list: readonly unknown[] = [value].flat();
  const found = list.filter((each) => typeof each === 'string' && each !== '');
  if (list.length === 0 || found.length < list.length) throw invalidSyntax();
  return found.map(String);
}

function only(known: readonly string[], value: unknown): Members {
  const members = object(value);
  if (!Object.keys(members).every((name) => known.includes(name))) throw invalidSyntax();
  return members;
}

function object(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidSyntax();
  return { ...value };
}

function parseObject(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidSyntax();
  }
}

const invalidSyntax = () => malformed('This policy has invalid syntax.');

const malformed = (message: string) => new ServiceError('MalformedPolicyDocumentException', message);
