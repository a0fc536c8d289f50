import { expect, it } from 'vitest';
import { isRdsProxyHost } from '../../../shared/secret/rds-proxy.ts';

it.each<[boolean, string, string]>([
  [true, 'a proxy', 'shop.proxy-abc123def456.eu-west-1.rds.amazonaws.com'],
  [true, 'an endpoint made besides, such as a read-only one', 'ro.endpoint.proxy-abc123.eu-west-1.rds.amazonaws.com'],
  [true, 'in China', 'shop.proxy-abc123.rds.cn-north-1.amazonaws.com.cn'],
  [true, 'an endpoint made besides, in China', 'ro.endpoint.proxy-abc123.rds.cn-northwest-1.amazonaws.com.cn'],
  [true, 'in GovCloud', 'shop.proxy-abc123.us-gov-west-1.rds.amazonaws.com'],
  [true, 'in any case', 'Shop.Proxy-ABC123.EU-West-1.RDS.AmazonAWS.com'],
  [true, 'fully qualified', 'shop.proxy-abc123.eu-west-1.rds.amazonaws.com.'],
  [true, 'a proxy whose own name looks like something else', 'endpoint.proxy-abc123.eu-west-1.rds.amazonaws.com'],
  [true, 'a proxy whose own name begins so too', 'proxy-shop.proxy-abc123.eu-west-1.rds.amazonaws.com'],
  [false, 'an instance', 'shop.abc123.eu-west-1.rds.amazonaws.com'],
  [false, 'an instance whose identifier begins so', 'proxy-db.abc123.eu-west-1.rds.amazonaws.com'],
  [false, 'such an instance, fully qualified', 'proxy-db.abc123.eu-west-1.rds.amazonaws.com.'],
  [false, 'such an instance, in China', 'proxy-db.abc123.rds.cn-north-1.amazonaws.com.cn'],
  [false, 'a cluster', 'shop.cluster-abc123.eu-west-1.rds.amazonaws.com'],
  [false, 'a cluster whose identifier begins so', 'proxy-db.cluster-abc123.eu-west-1.rds.amazonaws.com'],
  [false, "a cluster's reader", 'proxy-db.cluster-ro-abc123.eu-west-1.rds.amazonaws.com'],
  [false, "a cluster's custom endpoint", 'endpoint.cluster-custom-abc123.eu-west-1.rds.amazonaws.com'],
  [false, 'an instance called endpoint', 'endpoint.abc123.eu-west-1.rds.amazonaws.com'],
  [false, "nobody's", 'proxy-abc123.eu-west-1.rds.amazonaws.com'],
  [false, 'a name in front of none', '.proxy-abc123.eu-west-1.rds.amazonaws.com'],
  [false, 'a name of another domain', 'shop.proxy-abc123.eu-west-1.rds.amazonaws.com.example.com'],
  [false, 'a name that ends alike', 'shop.proxy-abc123.eu-west-1.rds.notamazonaws.com'],
  [false, 'a name of ours', 'proxy-db.example.com'],
  [false, 'an address', '10.0.0.7'],
  [false, 'an IPv6 address', 'fe80::1%eth0'],
])('%s for %s: %s', (expected, _, host) => {
  expect(isRdsProxyHost(host)).toBe(expected);
});
