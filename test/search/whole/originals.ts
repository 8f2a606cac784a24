/** The real resources that random ones are made from: the demo record, and, where they are, R4's examples and Synthea. */
import { readFileSync } from 'node:fs';
import { absence, dataFiles } from '../../data/shared-data.ts';
import type { Json, Resource } from './naive-values.ts';

/** In bytes of text: what is larger has more of the same. */
const LARGEST = 10_000;
/** Of each Synthea patient. */
const ENTRIES = 60;
const PATIENTS = 3;

const DEMO = new URL('../../../fixtures/second-opinion-request.json', import.meta.url);

/** The resources of a transaction, with ids and references for their `urn:uuid:`s. */
const entriesOf = (text: string, prefix: string): Resource[] => {
  const entries: Json[] = JSON.parse(text).entry;
  const ids = new Map(entries.map(({ fullUrl, resource }, at) => [fullUrl, `${resource.resourceType}/${prefix}${at}`]));
  const linked = text.replace(/urn:uuid:[0-9a-f-]{36}/g, (url) => ids.get(url) ?? url);
  return (JSON.parse(linked).entry as Json[]).map(({ resource }, at) => ({ ...resource, id: `${prefix}${at}` }));
};

const isSmall = (resource: Resource): boolean => JSON.stringify(resource).length <= LARGEST;

/** In groups, of which the resources refer to each other. */
export const readOriginals = (): Resource[][] => {
  const demo = entriesOf(readFileSync(DEMO, 'utf8'), 'demo');
  const synthea = absence('synthea')
    ? []
    : dataFiles('synthea')
        .slice(0, PATIENTS)
        .map(({ text }, at) => entriesOf(text, `synthea${at}-`).slice(0, ENTRIES));
  const examples = absence('r4-examples')
    ? []
    : [dataFiles('r4-examples').map(({ text }): Resource => JSON.parse(text))];
  return [...examples, demo, ...synthea].map((group) =>
    group.filter((resource) => isSmall(resource) && !['Binary', 'Bundle'].includes(resource.resourceType)),
  );
};
