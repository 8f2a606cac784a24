/**
 * A page in the order of sort keys. Few candidates are sorted; for many, an index is read that is in the order of the
 * key, if there is one. Resources without a value come last in either direction; ties go by rid, in the direction of the
 * first key. A page key is `[...values, rid, bound]`.
 *
 * @see https://hl7.org/fhir/R4/search.html#sort
 */
import type { Document } from 'mongodb';
import type { PageKey, SearchQuery, SortKey } from '../../search/search-query.ts';
import type { Commands, Hint } from './commands.ts';
import { allOf, anyOf, oneOf } from './compiled-clause.ts';
import { isFirstOver } from './fitting.ts';
import { FOUND_FIELDS, type FoundDocument } from './found.ts';
import { clinicalDateParam, keyName, PATIENT_PARAMS, resourceKey, SEVERAL_PATIENTS } from './keys.ts';

export interface Sorted {
  readonly documents: readonly FoundDocument[];
  readonly keyOf: (document: FoundDocument) => PageKey;
}

/** An index that gives the order of a page, by what is read of it. */
export interface Walk {
  readonly index: Hint;
  /** The field that is the sort key. */
  readonly field: 'updated' | 'id' | 'clinicalDate';
  readonly filter: Document;
}

const fieldOf = (key: SortKey): string => {
  if (key.by !== 'param') return key.by === 'id' ? 'id' : 'updated';
  return `o.${keyName(key.param)}.${key.isDescending ? 'z' : 'a'}`;
};

const valueAt = (document: object, field: string): string | number | null => {
  let value: unknown = document;
  for (const name of field.split('.')) value = (value as Record<string, unknown> | undefined)?.[name];
  return (value ?? null) as string | number | null;
};

/** The only patient about which the resources must be, if a clause says so. */
const patientOf = ({ searches }: SearchQuery): string | undefined => {
  const [search, another] = searches;
  if (search === undefined || another !== undefined) return undefined;
  for (const clause of search.clauses) {
    if (clause.kind !== 'reference' || !PATIENT_PARAMS.includes(clause.param)) continue;
    const [value, ...more] = clause.values;
    if (value?.type === 'Patient' && more.length === 0) return resourceKey(value);
  }
  return undefined;
};

/** The index in the order of the sort, of the resources that can match; undefined if there is none. */
export const walkOf = (query: SearchQuery): Walk | undefined => {
  const [key, second] = query.sort;
  const types = query.searches.map(({ type }) => type);
  const [type, another] = types;
  if (key === undefined || second !== undefined || type === undefined) return undefined;
  if (key.by === 'lastUpdated') {
    const index = another === undefined ? 'updated_1' : 'all_1';
    return { index, field: 'updated', filter: { type: oneOf(types) } };
  }
  if (another !== undefined) return undefined;
  if (key.by === 'id') return { index: 'id_1', field: 'id', filter: { type, live: true } };
  if (key.by !== 'param' || !key.isDescending || key.param !== clinicalDateParam(type)) return undefined;
  const patient = patientOf(query);
  if (patient === undefined) return { index: 'date_1', field: 'clinicalDate', filter: { type } };
  // Who is one of several patients is found behind `*`; the clause itself says whose it is.
  return { index: 'patient_1', field: 'clinicalDate', filter: { patient: { $in: [patient, SEVERAL_PATIENTS] }, type } };
};

/** What comes behind the last of the page before, in the order of one field and rid. */
const behindInWalk = (field: string, isDescending: boolean, after: PageKey | undefined): Document[] => {
  if (after === undefined) return [];
  const [value = null, rid, bound] = after;
  const isNew = { rid: { $lte: bound } };
  const isBeforeRid = isDescending ? { $gte: rid } : { $lte: rid };
  if (value === null) return [isNew, { [field]: null, rid: isDescending ? { $lt: rid } : { $gt: rid } }];
  // Not greater, so that what has no value is behind, too.
  const isInOrder = isDescending ? { $not: { $gt: value } } : { $gte: value };
  return [isNew, { [field]: isInOrder, $nor: [{ [field]: value, rid: isBeforeRid }] }];
};

const keyWith =
  (fields: readonly string[], bound: number) =>
  (document: FoundDocument): PageKey => [...fields.map((field) => valueAt(document, field)), document.rid, bound];

/** A page of what `filter` finds, in the order of an index. */
export const walkedPage = async (
  { index, field, filter: walked }: Walk,
  filter: Document,
  { sort, after, bytes }: SearchQuery,
  limit: number,
  bound: number,
  commands: Commands,
): Promise<Sorted> => {
  const isDescending = sort[0]?.isDescending ?? false;
  const direction = isDescending ? -1 : 1;
  const command = {
    filter: allOf([walked, filter, ...behindInWalk(field, isDescending, after)]),
    projection: { ...FOUND_FIELDS, [field]: 1 },
    sort: { [field]: direction, rid: direction },
    hint: index,
    limit,
  } as const;
  const documents = await commands.find<FoundDocument>('search', command, isFirstOver(bytes));
  return { documents, keyOf: keyWith([field], bound) };
};

/** What comes behind the last of the page before, in the order of all keys and rid. */
const behind = (sort: readonly SortKey[], after: PageKey | undefined): Document[] => {
  if (after === undefined) return [];
  const fields = [...sort.map(fieldOf), 'rid'];
  const directions = [...sort.map(({ isDescending }) => isDescending), sort[0]?.isDescending ?? false];
  const alternatives = fields.flatMap((field, at): Document[] => {
    const value = after[at] ?? null;
    // Behind what has no value there is nothing by this key.
    if (value === null) return [];
    const equals = fields.slice(0, at).map((name, before) => ({ [name]: after[before] ?? null }));
    const next = { [field]: { [directions[at] ? '$lt' : '$gt']: value } };
    return [allOf([...equals, field === 'rid' ? next : { $or: [next, { [field]: null }] }])];
  });
  return [{ rid: { $lte: after[fields.length] } }, anyOf(alternatives)];
};

/** A page of what `filter` finds, sorted without an index. */
export const sortedPage = async (
  filter: Document,
  hint: Hint | undefined,
  { sort, after, bytes }: SearchQuery,
  limit: number,
  bound: number,
  commands: Commands,
): Promise<Sorted> => {
  const fields = sort.map(fieldOf);
  const order: Document = {};
  const absent: Document = {};
  for (const [at, { by, isDescending }] of sort.entries()) {
    const field = fields[at] as string;
    // In the order of the database what is absent is less than all.
    if (by === 'param' && !isDescending) {
      absent[`absent${at}`] = { $eq: [{ $type: `$${field}` }, 'missing'] };
      order[`absent${at}`] = 1;
    }
    order[field] ??= isDescending ? -1 : 1;
  }
  order['rid'] = sort[0]?.isDescending ? -1 : 1;
  const command = {
    pipeline: [
      { $match: allOf([filter, ...behind(sort, after)]) },
      ...(Object.keys(absent).length === 0 ? [] : [{ $set: absent }]),
      { $sort: order },
      { $limit: limit },
      { $project: { ...FOUND_FIELDS, ...Object.fromEntries(fields.map((field) => [field, 1])) } },
    ],
    limit,
    ...(hint === undefined ? {} : { hint }),
  };
  const documents = await commands.aggregate<FoundDocument>('search', command, isFirstOver(bytes));
  return { documents, keyOf: keyWith(fields, bound) };
};
