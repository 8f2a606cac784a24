/** What an interaction gets and gives: FHIR's REST terms, no HTTP library. */

import type { AccessRule, Caller } from '../access/access-rule.ts';
import type { AccessLimits } from '../access/access-server.ts';
import type { Compartments } from '../definitions/compartments.ts';
import type { SearchParameters } from '../definitions/search-parameters.ts';
import type { Structure } from '../definitions/structures.ts';
import type { FhirError, Issue } from '../fhir/fhir-error.ts';
import type { FhirPathPatch } from '../fhirpath/patch.ts';
import type { Reindexing } from '../reindex/reindexing.ts';
import type { ElementTypes } from '../search/element-types.ts';
import type { ImpliedSystems } from '../search/implied-systems.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import type { PageTokens } from '../search/page-token.ts';
import type { CodeLookup } from '../search/search-context.ts';
import type { Store } from '../store/store.ts';

export interface FhirRequest {
  readonly method: string;
  /** Below the FHIR base, without slashes at its ends: '', `Patient`, `Patient/1/_history`. */
  readonly path: string;
  /** Without the question mark, percent-encoded. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** JSON, or the form of a `POST _search`; undefined without a body. */
  readonly body?: string;
  /** Of a Binary as JSON: the bytes of its large string, for which `STAND_IN` stands in `body`. */
  readonly large?: Buffer;
  /** What is uploaded as the content of a Binary, in place of a body: its base64, in parts, not empty. */
  readonly content?: { readonly base64: readonly Uint8Array[]; readonly contentType: string };
  /** Of a read of a Binary: whether the client wants content of this type as it is, and not as JSON. */
  wantsContent?(contentType: string): boolean;
  /** Whether the client has left, so that nobody will read the answer. */
  isAbandoned?(): boolean;
  /** Logs an error that was not foreseen, and gives the one that the client gets to see in its place. */
  visibleError?(error: unknown): FhirError;
}

/** Bytes that may be many, made piece by piece when they are sent. */
interface Content {
  readonly contentType: string;
  readonly length: number;
  pieces(): Iterable<Buffer>;
}

export interface FhirResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** When the resource in question changed last, in milliseconds since 1970 UTC; the header has only seconds. */
  readonly lastUpdated?: number;
  /** A resource as JSON in UTF-8. */
  readonly body?: string | Buffer;
  /** The content of a Binary, in place of a body. */
  readonly content?: Content;
  /** An OperationOutcome about the interaction, as JSON, in place of a body. */
  readonly outcome?: string;
}

/** Limits of requests; see the configuration table in README. */
export interface Limits extends AccessLimits {
  readonly jsonDepth: number;
  readonly bundleEntries: number;
  /** For the reads of a batch or transaction together. */
  readonly bundleMilliseconds: number;
  readonly searchIncludes: number;
  readonly conditionalDelete: 'single' | 'multiple';
  readonly conditionalDeleteLimit: number;
}

/** All that interactions use, put together in `app.ts`. */
export interface FhirServer {
  readonly store: Store;
  /** Searches all that is stored, whoever asks: for conditions of the server's own, whose results are shown to nobody. */
  searchWholeStore: Store['search'];
  /** The FHIR base url without a final slash. */
  readonly baseUrl: string;
  readonly resourceTypes: readonly string[];
  isResourceType(name: string): boolean;
  readonly parameters: SearchParameters;
  readonly compartments: Compartments;
  readonly codes: CodeLookup;
  readonly impliedSystems: ImpliedSystems;
  readonly elementTypes: ElementTypes;
  structureOf(type: string): Structure | undefined;
  readonly pageTokens: PageTokens;
  readonly limits: Limits;
  /** Whether a reference to a resource that is not there is refused. */
  readonly refusesDanglingReferences: boolean;
  validate(
    resource: unknown,
    facts: { expectedType?: string; integralDecimals: ReadonlySet<string> },
  ): readonly Issue[];
  /** The FHIRPath invariants of R4 that a resource, valid otherwise, breaks; they cost too much for every write. */
  checkInvariants?(resource: Record<string, unknown>): Promise<readonly Issue[]>;
  indexEntries(resource: { resourceType: string }): IndexEntry[];
  readonly fhirPathPatched: FhirPathPatch;
  /** The own search parameters, and the job that indexes by them. */
  readonly reindexing: Reindexing;
  /** Milliseconds since 1970 UTC. */
  now(): number;
  newId(): string;
  /** The same server as clients behind a proxy know it. */
  at(baseUrl: string): FhirServer;
  /** The same server for one request of one caller. */
  as(caller: Caller): FhirServer;
  /**
   * The same server with a store that shows, and takes, what the rule and the caller's rights permit; `type` is that of
   * the url. Throws a FhirError 401 or 403.
   */
  under(rule: AccessRule, type?: string): FhirServer;
  /** Throws a FhirError if the caller may not send such a request at all, as `answer` would. */
  checkPermitted(request: Pick<FhirRequest, 'method' | 'path'>): void;
  /** Answers a request by its path and method, as for the entries of a batch. Fails with a FhirError. */
  answer(request: FhirRequest): Promise<FhirResponse>;
}

export type Interaction<Target = object> = (
  server: FhirServer,
  request: FhirRequest,
  target: Target,
) => Promise<FhirResponse>;
