/** Puts together what the pages for people use. */
import type { AuthServer } from './auth/auth-server.ts';
import { createFederation } from './auth/users/federation.ts';
import { createPeople } from './auth/users/people.ts';
import { createPersonRecords } from './auth/users/person-records.ts';
import { type Config, derivedKey } from './config.ts';
import type { PageServer } from './http/pages/routes/visit.ts';
import type { Store } from './store/store.ts';

/** `store`: the whole one; pages read only names from it, of what their person may reach. */
export const createPageServer = (config: Config, auth: AuthServer, store: Store): PageServer => {
  const { issuer, fhirBase, now, cached } = auth;
  const records = createPersonRecords(store);
  const people = createPeople({
    ...{ records: store.records, limits: config, now },
    key: derivedKey(config.storeKey, 'people'),
    isThere: records.isThere,
    changed: cached.forget,
  });
  const federation = createFederation({
    ...{ providers: config.providers, records: store.records, users: people.users, fhirBase, now },
    redirectUri: `${issuer}/auth/federation/callback`,
    organizationOf: records.organizationOf,
  });
  return { auth, people, federation, records };
};
