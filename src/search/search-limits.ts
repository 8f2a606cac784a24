/** From the limits of the configuration to the context in which a query string is parsed. */
import type { SearchContext } from './search-context.ts';

/** See the configuration table in README. */
export interface SearchLimits {
  readonly searchDefaultCount: number;
  readonly searchMaximumCount: number;
  readonly searchValues: number;
  readonly searchComparedValues: number;
  readonly searchParameters: number;
  readonly searchTotalValues: number;
  readonly searchChain: number;
  readonly zoneOffsetMinutes: number;
  readonly approximateShare: number;
}

export interface SearchFacts
  extends Pick<
    SearchContext,
    'parameters' | 'resourceTypes' | 'codes' | 'impliedSystems' | 'elementTypes' | 'baseUrl' | 'now'
  > {
  readonly limits: SearchLimits;
}

export const searchContext = (server: SearchFacts, isLenient: boolean): SearchContext => {
  const { limits } = server;
  return {
    parameters: server.parameters,
    resourceTypes: server.resourceTypes,
    codes: server.codes,
    impliedSystems: server.impliedSystems,
    elementTypes: server.elementTypes,
    baseUrl: server.baseUrl,
    defaultCount: limits.searchDefaultCount,
    maximumCount: limits.searchMaximumCount,
    maximumValues: limits.searchValues,
    maximumComparedValues: limits.searchComparedValues,
    maximumParameters: limits.searchParameters,
    maximumTotalValues: limits.searchTotalValues,
    maximumChain: limits.searchChain,
    zoneOffsetMinutes: limits.zoneOffsetMinutes,
    approximateShare: limits.approximateShare,
    isLenient,
    now: server.now,
  };
};
