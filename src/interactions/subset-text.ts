/**
 * Parts of a resource for `_elements` and `_summary`, cut from its text, and marked as incomplete.
 *
 * @see https://hl7.org/fhir/R4/search.html#elements
 * @see https://hl7.org/fhir/R4/search.html#summary
 */
import type { ElementRule, Structure } from '../definitions/structures.ts';
import { elementsOf, type Member, membersOf } from '../fhir/json-members.ts';
import type { Summary } from '../search/parse-search.ts';

const SUBSETTED =
  '{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED","display":"subsetted"}';

/** Elements that are shown whatever is asked for. */
const ALWAYS = new Set(['resourceType', 'id', 'meta']);

type Keeps = (name: string, rule: ElementRule | undefined) => boolean;

/** What to keep, or undefined for everything. */
export const subsetRule = (summary: Summary, elements: readonly string[] | undefined): Keeps | undefined => {
  if (elements !== undefined) {
    const wanted = new Set(elements);
    return (name, rule) => (rule !== undefined && (rule.min > 0 || wanted.has(rule.name))) || wanted.has(name);
  }
  if (summary === 'true') return (_name, rule) => rule?.isSummary ?? false;
  if (summary === 'text') return (name, rule) => name === 'text' || (rule !== undefined && rule.min > 0);
  if (summary === 'data') return (name) => name !== 'text';
  return undefined;
};

const ruleOf = (structure: Structure, key: string): ElementRule | undefined =>
  structure.elements.get(key.startsWith('_') ? key.slice(1) : key);

/** A summary leaves parts out inside of backbone elements, too. */
const summarized = (text: string, start: number, end: number, rule: ElementRule | undefined, keeps: Keeps): string => {
  if (rule?.structure.kind !== 'backbone' || text.charCodeAt(start) === 34) return text.slice(start, end);
  if (text.charCodeAt(start) === 91)
    return `[${elementsOf(text, start)
      .map((item) => summarized(text, item.start, item.end, rule, keeps))
      .join(',')}]`;
  const members = membersOf(text, start).filter(({ key }) => {
    const inner = ruleOf(rule.structure, key);
    return (inner?.min ?? 0) > 0 || keeps(key, inner);
  });
  return `{${members.map((member) => memberText(text, member, ruleOf(rule.structure, member.key), keeps)).join(',')}}`;
};

const memberText = (text: string, { key, value }: Member, rule: ElementRule | undefined, keeps: Keeps): string =>
  `${JSON.stringify(key)}:${summarized(text, value.start, value.end, rule, keeps)}`;

/** The text of `meta` with the tag that says that elements are missing. */
const taggedMeta = (text: string, start: number): string => {
  const members = membersOf(text, start);
  const tags = members.find(({ key }) => key === 'tag');
  const others = members.filter((member) => member !== tags).map(({ whole }) => text.slice(whole.start, whole.end));
  const known = tags === undefined ? '' : `${text.slice(tags.value.start + 1, tags.value.end - 1)},`;
  return `{${[...others, `"tag":[${known}${SUBSETTED}]`].join(',')}}`;
};

/** The resource's JSON with only what `keeps` says, tagged SUBSETTED. */
export const subsetText = (text: string, structure: Structure, summary: Summary, keeps: Keeps): string => {
  const parts = membersOf(text).flatMap((member) => {
    const { key, value, whole } = member;
    if (key === 'meta') return [`"meta":${taggedMeta(text, value.start)}`];
    const rule = ruleOf(structure, key);
    if (!ALWAYS.has(key) && !keeps(key.replace(/^_/, ''), rule)) return [];
    return [summary === 'true' ? memberText(text, member, rule, keeps) : text.slice(whole.start, whole.end)];
  });
  return `{${parts.join(',')}}`;
};
