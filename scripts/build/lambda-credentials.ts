/**
 * Stands in for the SDK's credential chain in the bundles: on Lambda credentials are in the environment and nowhere
 * else (Lambda developer guide, "Defined runtime environment variables"). The chain for files, SSO and metadata
 * services would be a third of the bundle and of its start.
 */
export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env';
