/** Puts the Synthea records and the examples of US Core on a server, and reads them back. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { list } from 'tar';
import type { TestServer } from '../../http/test-server.ts';
import { dataFiles, dataFolder } from '../shared-data.ts';

const PACKAGE = new URL('hl7.fhir.us.core-6.1.0.tgz', dataFolder('packages'));

const PROVENANCE = {
  resourceType: 'Provenance',
  recorded: '2024-01-01T00:00:00Z',
  agent: [{ who: { display: 'Synthea' } }],
};

/** The examples of the package, in its own folder for them. */
const examples = (): Resource[] => {
  const resources: Resource[] = [];
  list({
    file: PACKAGE.pathname,
    sync: true,
    filter: (name) => name.startsWith('package/example/') && name.endsWith('.json'),
    onReadEntry: (entry) => {
      const chunks: Buffer[] = [];
      entry.on('data', (chunk: Buffer) => chunks.push(chunk));
      entry.on('end', () => resources.push(JSON.parse(Buffer.concat(chunks).toString())));
    },
  });
  return resources;
};

/** Whatever requests can be sent to. */
export interface Sender {
  send(
    method: string,
    path: string,
    options?: Parameters<TestServer['send']>[2],
  ): Promise<{ readonly status: number; readonly text: string; json<T = Resource>(): T }>;
}

/**
 * Commits the 12 Synthea transactions, or the first of them, each with a Provenance; answers how many resources. Throws
 * if one is refused.
 */
export const loadSynthea = async ({ send }: Sender, patients = 12): Promise<number> => {
  let count = 0;
  for (const { name, text } of dataFiles('synthea').slice(0, patients)) {
    const headers = { 'content-type': 'application/fhir+json', 'x-provenance': JSON.stringify(PROVENANCE) };
    const answer = await send('POST', '', { headers: { ...headers, prefer: 'return=minimal' }, body: text });
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text.slice(0, 1000)}`);
    count += answer.json<Bundle>().entry?.length ?? 0;
  }
  return count;
};

/**
 * Puts the examples of the package under their own ids. Their narratives stay away: some have styles with urls, which
 * are refused.
 */
export const loadExamples = async ({ send }: Sender): Promise<void> => {
  const entry = examples()
    .filter(({ resourceType }) => resourceType !== 'Bundle')
    .map((example) => ({
      resource: { ...example, text: undefined },
      request: { method: 'PUT', url: `${example.resourceType}/${example.id}` },
    }));
  const answer = await send('POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } });
  for (const { response } of answer.json<Bundle>().entry ?? [])
    if (response?.status !== '201 Created') throw new Error(JSON.stringify(response));
};

/** A resource of a searchset, and why it is there. */
export interface FoundEntry {
  readonly resource: Resource;
  readonly mode: string | undefined;
}

/** The entries of all pages of a search. Throws an Error unless each is a searchset and answered with 200. */
export const allEntries = async ({ send }: Sender, search: string): Promise<FoundEntry[]> => {
  const entries: FoundEntry[] = [];
  for (let url: string | undefined = search; url !== undefined; ) {
    const answer = await send('GET', url);
    if (answer.status !== 200) throw new Error(`GET ${url}: ${answer.status} ${answer.text}`);
    const bundle = answer.json<Bundle>();
    if (bundle.type !== 'searchset') throw new Error(`GET ${url}: a Bundle of type ${bundle.type}`);
    for (const { resource, search } of bundle.entry ?? [])
      if (resource !== undefined) entries.push({ resource, mode: search?.mode });
    url = bundle.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return entries;
};

/** All that is stored, but for what the server itself has put there. */
export const readStored = async (server: Sender): Promise<Resource[]> =>
  (await allEntries(server, '?_count=1000'))
    .map(({ resource }) => resource)
    .filter(({ resourceType }) => resourceType !== 'OperationDefinition');
