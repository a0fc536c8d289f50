/**
 * Loaded before a bundle (NODE_OPTIONS=--import …) it is the function's own hosts file: HOSTS is a JSON object of
 * addresses by name. All other names are looked up as ever.
 */
import dns from 'node:dns';

const hosts = new Map(Object.entries(JSON.parse(process.env.HOSTS ?? '{}')));
const { lookup } = dns;
dns.lookup = (name, ...rest) => lookup(hosts.get(name) ?? name, ...rest);
