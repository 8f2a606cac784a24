/** The searches that the public test kit for US Core 6.1.0 makes, read from the list of its checks. */
import { existsSync, readFileSync } from 'node:fs';

const LIST = new URL('../../../../shared/conformance/us-core.md', import.meta.url);

/** For tap's `skip`: a reason, or false. */
export const kitAbsence = existsSync(LIST) ? false : 'no file ../shared/conformance/us-core.md';

export interface KitSearch {
  readonly type: string;
  readonly parameters: readonly string[];
  /** The parameters for which lists of values, `a,b`, must be supported. */
  readonly listed: readonly string[];
  readonly include: string | undefined;
  /** The codes that the last parameter is given, one after the other; none if it is to have what is found in resources. */
  readonly fixedCodes: readonly string[];
}

export interface KitProfile {
  /** `AllergyIntolerance — us-core-allergyintolerance`. */
  readonly title: string;
  readonly searches: readonly KitSearch[];
}

/** ``- `us_core_..._search_test` SHALL: GET Encounter?date=&patient= — date prefixes gt/ge/lt/le SHALL; ...`` */
const SEARCH = /^- `\w+_test` (?:SHALL|SHOULD|MAY): GET ([A-Za-z]+)\?(\S+)(?: — (.*))?$/;

const searchOf = (line: string): KitSearch | undefined => {
  const [, type, query, notes = ''] = SEARCH.exec(line) ?? [];
  if (type === undefined || query === undefined) return undefined;
  return {
    type,
    parameters: query.split('&').map((part) => part.replace(/=$/, '')),
    listed: [...notes.matchAll(/([\w-]+)=a,b \(OR\)/g)].map(([, name = '']) => name),
    include: /_include=([\w:]+)/.exec(notes)?.[1],
    fixedCodes: /run with each fixed value: ([^;]*)/.exec(notes)?.[1]?.split(', ') ?? [],
  };
};

/** The profiles of section 13 with their searches; a profile that is not searched has none. */
export const kitProfiles = (): KitProfile[] => {
  const [, section = ''] = /^## 13\..*?\n(.*?)^##+ /ms.exec(readFileSync(LIST, 'utf8')) ?? [];
  return section
    .split(/^(?=\*\*)/m)
    .filter((part) => part.startsWith('**'))
    .map((part) => ({
      title: /^\*\*(.*?)\*\*/.exec(part)?.[1] ?? '',
      searches: part.split('\n').flatMap((line) => searchOf(line) ?? []),
    }));
};
