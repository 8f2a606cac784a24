/** Which urls a client may register. */

/** Longer ones are refused. */
const MAXIMUM_CHARACTERS = 2000;

const isLoopbackHost = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);

/** The url, if it is an absolute one of printable ASCII without user, password and fragment. */
const plainUrl = (text: string): URL | undefined => {
  if (text.length > MAXIMUM_CHARACTERS || !/^[\x21-\x7e]+$/.test(text) || text.includes('#')) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url === undefined || url.username !== '' || url.password !== '' ? undefined : url;
};

/** https, or http on loopback. */
export const isWebUrl = (text: string): boolean => {
  const url = /^https?:\/\/[^/\\]/.test(text) ? plainUrl(text) : undefined;
  return url !== undefined && (url.protocol === 'https:' || isLoopbackHost(url.hostname));
};

/**
 * Where a browser may be sent with an authorization code: a web url, or a scheme that an app on a phone has made its own.
 * Such a scheme is a reversed domain name, so that `javascript:` and the like are none.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8252#section-7
 */
export const isRedirectUri = (text: string): boolean =>
  isWebUrl(text) || (/^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:/.test(text) && plainUrl(text) !== undefined);
