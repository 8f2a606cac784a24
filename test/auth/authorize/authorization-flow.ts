/** A person goes through the pages of an authorization request. */
import { randomUUID } from 'node:crypto';
import tap from 'tap';
import { type Browser, openBrowser, type ShownPage } from '../test-browser.ts';
import { authorizePath, PASSWORD, type PeopleServer, REDIRECT, startPeopleServer, VERIFIER } from '../test-people.ts';

interface Started {
  readonly server: PeopleServer;
  /** An app of this test alone. */
  readonly app: string;
  readonly browser: Browser;
  ask(changes?: Readonly<Record<string, string | undefined>>): Promise<ShownPage>;
  /** Exchanges the code of an answer; fails if there is none. */
  tokens(page: ShownPage): Promise<Readonly<Record<string, unknown>> & { scope: string; id_token?: string }>;
}

/** For all tests: who changes a user, or adds patients, adds some of its own. */
const started = startPeopleServer(tap).then(async (server) => {
  await server.addUser('ada', 'Patient/ada', 'patient');
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor', false);
  await server.addUser('lise', 'Practitioner/lise', 'referring-doctor', false);
  return server;
});

export const start = async (): Promise<Started> => {
  const server = await started;
  const app = randomUUID();
  await server.addApp({ id: app });
  const browser = openBrowser(server.origin);
  return {
    ...{ server, app, browser },
    ask: (changes) => browser.get(authorizePath(server, { client_id: app, ...changes })),
    tokens: async (page) => {
      const { code } = page.answer;
      if (code === undefined) throw new Error(`No code at ${page.url} ${page.title}`);
      const form = {
        ...{ grant_type: 'authorization_code', code, client_id: app },
        ...{ redirect_uri: REDIRECT, code_verifier: VERIFIER },
      };
      const response = await fetch(`${server.origin}/auth/token`, { method: 'POST', body: new URLSearchParams(form) });
      if (response.status !== 200) throw new Error(await response.text());
      return (await response.json()) as Readonly<Record<string, unknown>> & { scope: string };
    },
  };
};

export const signIn = (page: ShownPage, login = 'ada'): Promise<ShownPage> =>
  page.submit('/auth/sign-in', { login, password: PASSWORD });

export const allow = (page: ShownPage, more: readonly [string, string][] = []): Promise<ShownPage> =>
  page.submit('/approve', [['decision', 'allow'], ...more]);

/** Allows with exactly these boxes ticked, by the words beside them. */
export const allowOnly = (browser: Browser, page: ShownPage, ...labels: string[]): Promise<ShownPage> => {
  const keys = labels.map((label) => {
    const key = new RegExp(`<label for="tick-([^"]+)">${label}`).exec(page.text)?.[1];
    if (key === undefined) throw new Error(`There is no box for ${label}`);
    return ['tick', key] as [string, string];
  });
  const hidden = page.fields('/approve').filter(([name]) => name === 'form');
  return browser.post(`${page.url}/approve`, [...hidden, ...keys, ['decision', 'allow']]);
};

export const claimsOf = ({ id_token }: { id_token?: string }): Record<string, unknown> =>
  JSON.parse(Buffer.from(id_token?.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
