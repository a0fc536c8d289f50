import { isIP } from 'node:net';

/** Letters and digits first: no path of a Unix socket, no list, no URL, no connection string. IPv4 addresses are among them. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u;

/**
 * Why a text can't be where one server is: what was needed and found, for an error that quotes no value.
 *
 * @returns undefined for one DNS name (letters of any script, underscores and a final dot too) or one IP address, with
 *   or without a scope.
 */
export function faultOfHost(text: string): string | undefined {
  if (text !== text.trim()) {
    return 'one DNS name or IP address was needed, found white space before or after it';
  }
  if (NAME.test(text) || isAddress(text)) return undefined;
  const [, before] = /^(.*):\d*$/.exec(text) ?? [];
  if (before !== undefined && (NAME.test(before) || isAddress(before) || /^[\da-f:]+$/i.test(before))) {
    return 'a DNS name or IP address alone was needed, found a port behind it; the port belongs in "port"';
  }
  if (/^\[[^[\]]*\](?::\d*)?$/.test(text)) {
    return 'an IP address without brackets was needed, found brackets; a port belongs in "port"';
  }
  return 'one DNS name or IP address was needed, found something else';
}

/** Whether two hosts are one by their names: in any case, and fully qualified (with a final dot) or not. */
export function isSameHost(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

/** An IPv6 address. Node's own notion of a scope has colons in it, and so might have a port. */
function isAddress(text: string): boolean {
  return isIP(/^([^%]*)(?:%[\w.-]+)?$/.exec(text)?.[1] ?? '') === 6;
}

function plain(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
