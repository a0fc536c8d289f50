/** Of what RDS a host is an endpoint; by name, pure. */

/** `….region.rds.amazonaws.com`, in China `….rds.region.amazonaws.com.cn` (Amazon RDS user guide, "Amazon RDS DB instances"). */
export function isRdsHost(host: string): boolean {
  return /\.rds\.(?:amazonaws\.com(?:\.cn)?|[a-z0-9-]+\.amazonaws\.com\.cn)\.?$/i.test(host);
}

/** Where Amazon's bundle of RDS certificates is to be had: China's regions have a bundle of their own. */
export function certificateBundleFor(host: string): string {
  const place = /\.cn\.?$/i.test(host)
    ? 'rds-truststore.s3.cn-north-1.amazonaws.com.cn'
    : 'truststore.pki.rds.amazonaws.com';
  return `https://${place}/global/global-bundle.pem`;
}
