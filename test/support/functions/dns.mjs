/** Loaded before a bundle (NODE_OPTIONS=--import …): names can't be resolved while the file DNS_OUTAGE is there. */
import dns from 'node:dns';
import { existsSync } from 'node:fs';

const { DNS_OUTAGE = '' } = process.env;
const { lookup } = dns;
Object.assign(dns, {
  /**
   * @param {string} hostname
   * @param {dns.LookupOptions} options
   * @param {(error: Error | null) => void} callback
   */
  lookup(hostname, options, callback) {
    if (!existsSync(DNS_OUTAGE)) return lookup(hostname, options, callback);
    const error = Object.assign(new Error(`getaddrinfo EAI_AGAIN ${hostname}`), { code: 'EAI_AGAIN', hostname });
    process.nextTick(callback, error);
  },
});
