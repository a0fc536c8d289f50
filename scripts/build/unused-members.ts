/** What index.mjs leaves out of its dependencies' files, member by member. */
import { readFile } from 'node:fs/promises';
import { type AnyNode, parse } from 'acorn';
import type { Plugin } from 'esbuild';

/**
 * Functions, variables and members that our code can't reach, by the file that declares them: names, separated by spaces.
 * Should one be called after all, that throws: it is not there, or, where its file exports it, says so.
 */
const UNUSED_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  // pg: queries are texts, sent one at a time by the simple protocol: none is prepared, piped, cancelled or has parameters.
  'pg/lib/client.js': [
    '_pulsePipelinedQueryQueue cancel getTransactionStatus ref unref setTypeParser getTypeParser',
    'activeQuery activeQueryDeprecationNotice queryQueue queryQueueDeprecationNotice',
    // The package's own functions are used, not the client's; ExplicitClient has another getStartupConf.
    'escapeIdentifier escapeLiteral getStartupConf',
    // The password is a text, and promises are the language's.
    'pgPassDeprecationNotice byoPromiseDeprecationNotice',
  ],
  'pg/lib/connection.js': ['parse bind execute describe close flush flushBuffer sync syncBuffer cancel ref unref'],
  'pg/lib/query.js': ['prepare hasBeenParsed _getRows'],
  'pg/lib/utils.js': [
    'prepareValue prepareObject arrayString escapeElement dateToString dateToStringUTC',
    'invalidDateDeprecationNotice nodeUtils defaults',
  ],
  'pg-protocol/dist/serializer.js': [
    'parse emptyArray bind writeValues execute emptyExecute close cancel',
    'describe emptyDescribePortal emptyDescribeStatement flush flushBuffer sync syncBuffer',
  ],
  // pg: a connection string is for libpq, the native driver.
  'pg/lib/connection-parameters.js': ['getLibpqConnectionString add quoteParamValue dns'],
  // Powertools: each line is given all that it has, and nothing is kept for a later one; no decorator, no middleware.
  '@aws-lambda-powertools/logger/lib/esm/Logger.js': [
    'injectLambdaContext injectLambdaContextBefore injectLambdaContextAfterOrOnError addContext',
    'logEventIfEnabled shouldLogEvent getLogEvent refreshSampleRateCalculation getLevelName',
    'createChild createLogger critical trace setCorrelationId getCorrelationId',
    'appendKeys removeKeys resetKeys #appendKeys #filterReservedAttributeKeys appendPersistentKeys',
    'addPersistentLogAttributes setPersistentLogAttributes getPersistentLogAttributes removePersistentKeys',
    'persistentLogAttributes removePersistentLogAttributes',
    // Lines are written at once (logBufferOptions).
    'bufferLogItem flushBuffer clearBuffer',
  ],
  '@aws-lambda-powertools/logger/lib/esm/LogAttributesStore.js': [
    'appendTemporaryKeys removeTemporaryKeys getTemporaryAttributes clearTemporaryAttributes',
    'setPersistentAttributes getPersistentAttributes removePersistentKeys setLambdaContext',
  ],
  '@aws-lambda-powertools/logger/lib/esm/LogInvocationStore.js': [
    '#buffer #getBuffer #maxBytes configureBuffer add get delete',
  ],
  '@aws-lambda-powertools/commons/lib/esm/InvocationScoped.js': ['isScoped'],
  // Powertools: metrics have dimensions and nothing else, are of now, and are published by hand.
  '@aws-lambda-powertools/metrics/lib/esm/Metrics.js': [
    'logMetrics captureColdStartMetric setFunctionName setThrowOnEmptyMetrics throwOnEmptyMetrics',
    'addMetadata setTimestamp #validateEmfTimestamp clearDefaultDimensions isDisabled',
  ],
  '@aws-lambda-powertools/metrics/lib/esm/MetricsStore.js': ['getMetric setTimestamp #convertTimestampToEmfFormat'],
  '@aws-lambda-powertools/metrics/lib/esm/DimensionsStore.js': ['clearDefaultDimensions'],
  '@aws-lambda-powertools/commons/lib/esm/Utility.js': ['getColdStart isValidServiceName'],
  // SDK: no operation of Secrets Manager streams events, and errors are found by the protocol's library.
  '@smithy/core/dist-es/submodules/protocols/HttpProtocol.js': [
    'serializeEventStream deserializeEventStream loadEventStreamCapability getEventStreamMarshaller',
    'resolveEventStreamMarshaller getDefaultContentType deserializeHttpMessage resolveError',
    'getRequestType getResponseType',
  ],
  '@smithy/signature-v4/dist-es/SignatureV4.js': ['headerFormatter signMessage signEvent signString'],
  // SDK: Secrets Manager's protocol is neither REST nor one that was another (awsQueryCompatible).
  '@aws-sdk/core/dist-es/submodules/protocols/ProtocolLib.js': [
    'resolveRestContentType setQueryCompatError queryCompatOutput findQueryCompatibleError',
  ],
  '@smithy/core/dist-es/submodules/schema/schemas/NormalizedSchema.js': [
    'getMemberName getMemberSchema getMemberSchemas getKeySchema',
  ],
  '@smithy/core/dist-es/submodules/schema/TypeRegistry.js': ['register find clear'],
  // SDK: for loggers, of which there is none.
  '@smithy/core/dist-es/submodules/client/smithy-client/schemaLogFilter.js': ['schemaLogFilter SENSITIVE_STRING'],
  // SDK: middleware is removed by its name.
  '@smithy/core/dist-es/submodules/client/middleware-stack/MiddlewareStack.js': ['removeByTag'],
  // SDK: times in answers are seconds since 1970 (AWS JSON 1.1); Retry-After has the other format.
  '@smithy/core/dist-es/submodules/serde/date-utils.js': [
    'parseRfc3339DateTimeWithOffset RFC3339_WITH_OFFSET parseOffsetToMilliseconds',
  ],
};

/** Fails the build where one of them is not in its file any more, or a file is not in the bundle. */
export function withoutUnusedMembers(): Plugin {
  return {
    name: 'without-unused-members',
    setup({ onLoad, onEnd }) {
      const unmet = new Set(Object.keys(UNUSED_MEMBERS));
      for (const [file, lines] of Object.entries(UNUSED_MEMBERS)) {
        const names = lines.flatMap((line) => line.split(' '));
        const path = new RegExp(`[\\\\/]node_modules[\\\\/]${file.replaceAll('.', '\\.').replaceAll('/', '[\\\\/]')}$`);
        onLoad({ filter: path }, async (found) => {
          unmet.delete(file);
          return { contents: withoutMembers(await readFile(found.path, 'utf8'), names), loader: 'js' };
        });
      }
      onEnd(() => ({ errors: Array.from(unmet, (file) => ({ text: `${file} was expected in the bundle.` })) }));
    },
  };
}

/**
 * @returns the JavaScript without what is declared by the names: classes' members, objects' properties, and the file's own
 *   functions and variables.
 * @throws where nothing is declared by one of the names
 */
export function withoutMembers(code: string, names: readonly string[]): string {
  const cuts: { readonly start: number; readonly end: number; readonly by: string }[] = [];
  const unmet = new Set(names);
  const visit = (node: AnyNode, parent: AnyNode | undefined) => {
    const name = memberName(node) ?? (isOfFile(parent) ? variableName(node) : undefined);
    if (name === undefined || !names.includes(name)) {
      for (const child of childrenOf(node)) visit(child, node);
      return;
    }
    unmet.delete(name);
    const comma = node.type === 'Property' ? /^\s*,/.exec(code.slice(node.end))?.[0].length : 0;
    const isExported = parent?.type === 'ExportNamedDeclaration';
    const by = isExported ? `const ${name} = () => { throw new Error('${name} is not in this bundle.'); };` : '';
    cuts.push({ start: node.start, end: node.end + (comma ?? 0), by });
  };
  visit(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), undefined);
  if (unmet.size > 0) throw new Error(`Nothing is declared as ${[...unmet].join(', ')}.`);
  return cuts.reduceRight((rest, { start, end, by }) => rest.slice(0, start) + by + rest.slice(end), code);
}

function isOfFile(parent: AnyNode | undefined): boolean {
  return parent?.type === 'Program' || parent?.type === 'ExportNamedDeclaration';
}

/** Of a class's member or an object's property; undefined of all else. */
function memberName(node: AnyNode): string | undefined {
  const isMember = node.type === 'MethodDefinition' || node.type === 'PropertyDefinition' || node.type === 'Property';
  if (!isMember || node.computed) return undefined;
  const { key } = node;
  if (key.type === 'PrivateIdentifier') return `#${key.name}`;
  return key.type === 'Identifier' ? key.name : undefined;
}

/** Of a function, or of a variable that is declared by itself. */
function variableName(node: AnyNode): string | undefined {
  if (node.type === 'FunctionDeclaration') return node.id?.name;
  if (node.type !== 'VariableDeclaration') return undefined;
  const [only, another] = node.declarations;
  return another === undefined && only?.id.type === 'Identifier' ? only.id.name : undefined;
}

/** A pattern, which takes an object apart, declares no member of it. */
function childrenOf(node: AnyNode): readonly AnyNode[] {
  return node.type === 'ObjectPattern' ? [] : Object.values(node).flat().filter(isNode);
}

const isNode = (value: unknown): value is AnyNode =>
  typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
