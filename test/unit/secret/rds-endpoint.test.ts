import { describe, expect, it } from 'vitest';
import { regionOfRdsEndpoint } from '../../../shared/secret/rds-endpoint.ts';

describe('the region of', () => {
  it.each([
    ['an instance', 'orders.c1a2b3d4.eu-central-1.rds.amazonaws.com', 'eu-central-1'],
    ['a cluster', 'shop.cluster-c1a2b3d4.us-east-1.rds.amazonaws.com', 'us-east-1'],
    ['its readers', 'shop.cluster-ro-c1a2b3d4.us-east-1.rds.amazonaws.com', 'us-east-1'],
    ['a custom endpoint', 'reports.cluster-custom-c1a2b3d4.ap-southeast-7.rds.amazonaws.com', 'ap-southeast-7'],
    ['GovCloud', 'orders.c1a2b3d4.us-gov-west-1.rds.amazonaws.com', 'us-gov-west-1'],
    ['China', 'orders.c1a2b3d4.rds.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ["China's cluster", 'shop.cluster-c1a2b3d4.rds.cn-northwest-1.amazonaws.com.cn', 'cn-northwest-1'],
    ['the European sovereign cloud', 'orders.c1a2b3d4.eusc-de-east-1.rds.amazonaws.eu', 'eusc-de-east-1'],
    ['an isolated region', 'orders.c1a2b3d4.us-iso-east-1.rds.c2s.ic.gov', 'us-iso-east-1'],
    ['a name in capitals, fully qualified', 'Orders.C1A2B3D4.EU-WEST-1.RDS.AMAZONAWS.COM.', 'eu-west-1'],
  ])('%s', (_, host, region) => {
    expect(regionOfRdsEndpoint(host)).toBe(region);
  });

  it.each([
    'db.example.com',
    '10.0.0.1',
    'localhost',
    // A global database's writer endpoint.
    'shop.global-c1a2b3d4.global.rds.amazonaws.com',
    'rds.eu-central-1.amazonaws.com',
    'c1a2b3d4.eu-central-1.rds.amazonaws.com',
    'orders.c1a2b3d4.eu-central-1.rds.amazonaws.com.example.com',
    'orders.c1a2b3d4.eu-central-1.rds.amazonaws.com.evil',
    'orders.c1a2b3d4.eu-central-1.rds-amazonaws.com',
    'orders.c1a2b3d4.eu-central-1xrds.amazonaws.com',
    'dev.c1a2b3d4.eu-central-1.redshift.amazonaws.com',
  ])('%s is not known', (host) => {
    expect(regionOfRdsEndpoint(host)).toBeUndefined();
  });
});
