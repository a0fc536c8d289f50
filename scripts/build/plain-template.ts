/**
 * template.yaml without the SAM macro, which StackSets with service-managed permissions refuse: every function is spelt
 * out, and its code named by parameters. Comments stay.
 */
import { parseDocument, YAMLMap, YAMLSeq } from 'yaml';

/** Logical ids of the functions, by the folder that template.yaml names. */
const FUNCTIONS = {
  SingleUserFunction: 'single-user',
  AlternatingUsersFunction: 'alternating-users',
} as const;

type Document = ReturnType<typeof parseDocument>;

/** @param template the text of template.yaml. @param version whose code is deployed unless parameters name other keys. */
export function plainTemplate(template: string, version: string): string {
  const document = parseDocument(template, { logLevel: 'silent' });
  const shared = document.getIn(['Globals', 'Function']);
  if (!(shared instanceof YAMLMap)) throw new Error('template.yaml was expected to have Globals.Function.');
  for (const id of Object.keys(FUNCTIONS)) spellOut(document, id, shared);
  document.delete('Transform');
  document.delete('Globals');
  document.deleteIn(['Metadata', 'AWS::ServerlessRepo::Application']);
  addCodeParameters(document, version);
  return document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: false });
}

function spellOut(document: Document, id: string, shared: YAMLMap): void {
  const at = ['Resources', id];
  const properties = document.getIn([...at, 'Properties']);
  if (document.getIn([...at, 'Type']) !== 'AWS::Serverless::Function' || !(properties instanceof YAMLMap)) {
    throw new Error(`${id} was expected to be a function of SAM's.`);
  }
  document.setIn([...at, 'Type'], 'AWS::Lambda::Function');
  document.deleteIn([...at, 'Metadata']);
  properties.delete('CodeUri');
  const key = tagged(document, '!Ref', id.replace('Function', 'CodeKey'));
  properties.set('Code', document.createNode({ S3Bucket: tagged(document, '!Ref', 'CodeBucket'), S3Key: key }));
  merge(properties, shared);
}

/** What the function says itself comes before what all say. Nodes are copied, lest they become YAML's aliases. */
function merge(own: YAMLMap, shared: YAMLMap): void {
  own.commentBefore ??= shared.commentBefore ?? null;
  for (const { key, value } of shared.items) {
    const name = String(key);
    const there = own.get(name, true);
    if (there instanceof YAMLMap && value instanceof YAMLMap) merge(there, value);
    else if (there === undefined) own.set(name, (value as YAMLMap).clone());
  }
}

function tagged(document: Document, tag: string, value: string) {
  const node = document.createNode(value);
  node.tag = tag;
  return node;
}

function addCodeParameters(document: Document, version: string): void {
  const bucket = { Type: 'String', Description: "S3 bucket, in this region, that holds the functions' code." };
  const keys = Object.entries(FUNCTIONS).map(([id, folder]) => [
    id.replace('Function', 'CodeKey'),
    {
      Type: 'String',
      Default: `postgres-secret-rotation/${version}/${folder}.zip`,
      Description: `Key of ${folder}.zip in that bucket.`,
    },
  ]);
  const parameters = Object.fromEntries([['CodeBucket', bucket], ...keys]);
  for (const [name, parameter] of Object.entries(parameters)) document.setIn(['Parameters', name], parameter);

  const form = ['Metadata', 'AWS::CloudFormation::Interface'];
  const groups = document.getIn([...form, 'ParameterGroups']);
  if (!(groups instanceof YAMLSeq)) throw new Error('template.yaml was expected to group its parameters.');
  groups.items.unshift(document.createNode({ Label: { default: 'Code' }, Parameters: Object.keys(parameters) }));
  const labels = {
    CodeBucket: 'Bucket',
    SingleUserCodeKey: 'Single user',
    AlternatingUsersCodeKey: 'Alternating users',
  };
  for (const [name, label] of Object.entries(labels)) {
    document.setIn([...form, 'ParameterLabels', name], document.createNode({ default: label }));
  }
}
