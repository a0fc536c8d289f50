/**
 * Loaded before a bundle (NODE_OPTIONS=--import …) it is the function's own hosts file: HOSTS is a JSON object of
 * addresses by name. All other names are looked up as ever.
 */
import dns from 'node:dns';

/** @type {Readonly<Record<string, string>>} */
const addresses = JSON.parse(process.env.HOSTS ?? '{}');
const hosts = new Map(Object.entries(addresses));
const { lookup } = dns;
Object.assign(dns, {
  /**
   * @param {string} name
   * @param {unknown[]} rest
   */
  lookup: (name, ...rest) => Reflect.apply(lookup, dns, [hosts.get(name) ?? name, ...rest]),
});
