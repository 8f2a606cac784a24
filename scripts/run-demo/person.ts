/** A person at a browser, as far as the demo needs one: follows redirects, keeps cookies, fills forms and presses buttons. */

/** A page that is shown; or, with `left`, the url outside of the server to which the browser was sent. */
interface Visit {
  readonly html: string;
  readonly title: string;
  readonly left?: URL;
}

export interface Person {
  open(url: string): Promise<Visit>;
  /** Fills the fields of the first form that has a button with this text, and presses it. */
  press(button: string, fields?: Readonly<Record<string, string>>): Promise<Visit>;
}

const MOST_REDIRECTS = 10;

const text = (html: string): string =>
  html
    .replace(/<[^>]*>/g, '')
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')
    .trim();

const attribute = (tag: string, name: string): string | undefined => {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : text(value);
};

/** The fields that a browser would send with a form: all but buttons, and boxes only if they are ticked. */
const fieldsOf = (form: string): (readonly [string, string])[] =>
  [...form.matchAll(/<input\b[^>]*>/g)].flatMap(([tag]) => {
    const name = attribute(tag, 'name');
    const isBox = attribute(tag, 'type') === 'checkbox';
    if (name === undefined || (isBox && !/\schecked\b/.test(tag))) return [];
    return [[name, attribute(tag, 'value') ?? ''] as const];
  });

/** `origin` is the server's; whatever is outside of it is left to the app. */
export const createPerson = (origin: string): Person => {
  const cookies = new Map<string, string>();
  let current = { url: origin, html: '' };

  const request = async (url: string, body?: URLSearchParams): Promise<Visit> => {
    let form = body;
    let at = new URL(url, current.url);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      if (at.origin !== origin) return { html: '', title: '', left: at };
      const response = await fetch(at, {
        redirect: 'manual',
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '), accept: 'text/html' },
        ...(form === undefined ? {} : { method: 'POST', body: form }),
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) {
        const html = await response.text();
        current = { url: at.href, html };
        return { html, title: text(/<h1>(.*?)<\/h1>/s.exec(html)?.[1] ?? '') };
      }
      at = new URL(location, at);
      form = undefined;
    }
    throw new Error(`${url} redirects without end`);
  };

  return {
    open: (url) => request(url),
    press: (label, fields = {}) => {
      for (const [form] of current.html.matchAll(/<form\b[\s\S]*?<\/form>/g)) {
        const button = [...form.matchAll(/<button\b[^>]*>[\s\S]*?<\/button>/g)].find(
          ([tag]) => text(tag) === label,
        )?.[0];
        if (button === undefined) continue;
        const values = new URLSearchParams(
          fieldsOf(form).map(([name, value]): [string, string] => [name, fields[name] ?? value]),
        );
        const name = attribute(button, 'name');
        if (name !== undefined) values.set(name, attribute(button, 'value') ?? '');
        return request(attribute(form, 'action') ?? current.url, values);
      }
      throw new Error(`The page has no button '${label}': ${text(current.html).slice(0, 500)}`);
    },
  };
};
