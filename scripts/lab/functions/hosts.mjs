/**
 * Loaded before a bundle (NODE_OPTIONS=--import …) it is the function's own hosts file: HOSTS is a JSON object of
 * addresses by name; of several, each look-up takes the next one, and the last one stays. An error's code instead of an
 * address is that error. All other names are looked up as ever. TRUSTED_CA is a CA certificate (PEM) to trust besides.
 */
import dns from 'node:dns';
import tls from 'node:tls';

/** @type {Readonly<Record<string, string | string[]>>} */
const addresses = JSON.parse(process.env.HOSTS ?? '{}');
const hosts = new Map(Object.entries(addresses).map(([name, found]) => [name, [found].flat()]));
const { lookup } = dns;

/** @param {string} name */
function next(name) {
  const found = hosts.get(name) ?? [];
  return (found.length > 1 ? found.shift() : found[0]) ?? name;
}

Object.assign(dns, {
  /**
   * @param {string} name
   * @param {unknown[]} rest
   */
  lookup: (name, ...rest) => {
    const address = next(name);
    const done = rest.at(-1);
    if (!/^EAI_|^ENOTFOUND$/.test(address) || typeof done !== 'function')
      return Reflect.apply(lookup, dns, [address, ...rest]);
    process.nextTick(done, Object.assign(new Error(`getaddrinfo ${address} ${name}`), { code: address }));
  },
});

const { TRUSTED_CA } = process.env;
if (TRUSTED_CA !== undefined) tls.setDefaultCACertificates([...tls.getCACertificates('default'), TRUSTED_CA]);
