/**
 * `name.proxy-xyz.region.rds.amazonaws.com`, for an endpoint that was made besides `name.endpoint.proxy-xyz.…`, and in
 * China `….rds.region.amazonaws.com.cn` (Amazon RDS user guide, "Working with Amazon RDS Proxy endpoints"). An
 * identifier has no dots, so what follows an instance's or a cluster's is always the account's part, such as `abc123`,
 * `cluster-abc123` or `cluster-ro-abc123`, whatever the identifier begins with.
 */
const ENDPOINT =
  /^[^.]+\.(?:endpoint\.)?proxy-[^.]+\.(?:[a-z0-9-]+\.rds|rds\.[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\.?$/i;

/** Whether a host is an endpoint of RDS Proxy, by its name; an alias (CNAME) of one can't be told from its name. */
export function isRdsProxyHost(host: string): boolean {
  return ENDPOINT.test(host);
}
