/**
 * `id.abc123.region.rds.amazonaws.com`, of an instance or a cluster (`id.cluster-abc123.…`, `cluster-ro-`,
 * `cluster-custom-`), and in China `id.abc123.rds.region.amazonaws.com.cn` (Amazon RDS user guide, "Finding the
 * connection information"). Domains are those of AWS's partitions. A global database's writer endpoint has no region.
 */
const ENDPOINT =
  /^[a-z][a-z0-9-]*\.[a-z0-9-]+\.(?:(REGION)\.rds|rds\.(REGION))\.(?:amazonaws\.(?:com|com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk)\.?$/;

const PATTERN = new RegExp(ENDPOINT.source.replaceAll('REGION', '[a-z]{2,4}(?:-[a-z]+){1,2}-\\d{1,2}'), 'i');

/** The region of an endpoint that RDS gives a server, such as "us-gov-west-1"; undefined for any other name. */
export function regionOfRdsEndpoint(host: string): string | undefined {
  const [, region, chinas] = PATTERN.exec(host) ?? [];
  return (region ?? chinas)?.toLowerCase();
}
