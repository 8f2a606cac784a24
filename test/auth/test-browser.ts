/** A browser without a screen and without script: it keeps cookies, follows redirects, and sends forms. */
import { REDIRECT } from './test-people.ts';

export interface ShownPage {
  readonly status: number;
  /** Where it is: the path and query here, or the whole url of another site, which is not visited. */
  readonly url: string;
  readonly headers: Headers;
  readonly text: string;
  /** All of the `h1`. */
  readonly title: string;
  /** Parameters of an answer to an app. */
  readonly answer: Readonly<Record<string, string>>;
  /** Sends the form whose action ends with `action`, with its hidden fields and ticked boxes, and these. */
  submit(action: string, fields?: Fields): Promise<ShownPage>;
  /** What the forms with this action have in hidden fields and ticked boxes. */
  fields(action: string): [string, string][];
}

type Fields = Readonly<Record<string, string>> | readonly [string, string][];

const pairsOf = (fields: Fields): [string, string][] =>
  Symbol.iterator in fields ? [...(fields as [string, string][])] : Object.entries(fields);

export interface Browser {
  readonly cookies: Map<string, string>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<ShownPage>;
  post(path: string, fields: Fields, headers?: Readonly<Record<string, string>>): Promise<ShownPage>;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

export const plain = (text: string): string => text.replace(/&(#?\w+);/g, (_, name: string) => ENTITIES[name] ?? '?');

const attribute = (tag: string, name: string): string | undefined => {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : plain(value);
};

const fieldsOf = (text: string, action: string): [string, string][] => {
  const forms = [...text.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(([form]) => form);
  const form = forms.find((each) => attribute(each.slice(0, each.indexOf('>')), 'action')?.endsWith(action));
  if (form === undefined) throw new Error(`No form goes to ${action}`);
  return [...form.matchAll(/<input\b[^>]*>/g)].flatMap(([tag]): [string, string][] => {
    const [type, name, value] = ['type', 'name', 'value'].map((each) => attribute(tag, each));
    const isSent = type === 'hidden' || (type === 'checkbox' && /\schecked[\s>]/.test(tag));
    return isSent && name !== undefined ? [[name, value ?? '']] : [];
  });
};

const actionOf = (text: string, action: string): string => {
  const tags = [...text.matchAll(/<form\b[^>]*>/g)].map(([tag]) => attribute(tag, 'action') ?? '');
  return tags.find((each) => each.endsWith(action)) ?? action;
};

export const openBrowser = (origin: string): Browser => {
  const cookies = new Map<string, string>();

  const keep = (headers: Headers): void => {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split('=');
      const isGone = attributes.some((each) => /^Expires=Thu, 01 Jan 1970/.test(each) || each === 'Max-Age=0');
      if (isGone) cookies.delete(name);
      else cookies.set(name, value);
    }
  };

  const load = async (method: string, url: string, init: RequestInit, hops = 0): Promise<ShownPage> => {
    if (hops > 10) throw new Error('Too many redirects');
    const target = new URL(url, origin);
    if (target.origin !== origin) return page(0, target.href, new Headers(), '');
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const headers = { 'accept-language': 'en', ...(cookie === '' ? {} : { cookie }), ...init.headers };
    const response = await fetch(target, { ...init, method, headers, redirect: 'manual' });
    keep(response.headers);
    const text = await response.text();
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location !== null)
      return load('GET', location, { headers: { 'sec-fetch-site': 'same-origin' } }, hops + 1);
    return page(response.status, target.pathname + target.search, response.headers, text);
  };

  const post: Browser['post'] = (path, fields, headers = {}) =>
    load('POST', path, {
      body: new URLSearchParams(pairsOf(fields)).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin', ...headers },
    });

  const page = (status: number, url: string, headers: Headers, text: string): ShownPage => ({
    ...{ status, url, headers, text },
    title: plain(/<h1>([^<]*)<\/h1>/.exec(text)?.[1] ?? ''),
    answer: url.startsWith(REDIRECT) ? Object.fromEntries(new URL(url).searchParams) : {},
    fields: (action) => fieldsOf(text, action),
    submit: (action, fields = {}) => {
      return post(actionOf(text, action), [...fieldsOf(text, action), ...pairsOf(fields)]);
    },
  });

  return { cookies, get: (path, headers = {}) => load('GET', path, { headers }), post };
};
