/**
 * The few terms of OpenAPI 3.1 that the document uses.
 *
 * @see https://spec.openapis.org/oas/v3.1.0
 */

export type Ref = { readonly $ref: string };

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema | Ref;
}

type Content = Readonly<Record<string, { readonly schema: Schema | Ref }>>;

interface Body {
  readonly description?: string;
  readonly required?: boolean;
  readonly content: Content;
}

export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Ref | { readonly description: string; readonly schema: Schema }>>;
  readonly content?: Content;
}

/** One method of a path. */
export interface Call {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly (Parameter | Ref)[];
  readonly requestBody?: Body | Ref;
  readonly responses: Readonly<Record<string, Answer | Ref>>;
}

/** The methods of a path, in lower case. */
export type PathItem = Readonly<Record<string, Call>>;

export const parameterRef = (name: string): Ref => ({ $ref: `#/components/parameters/${name}` });
export const schemaRef = (name: string): Ref => ({ $ref: `#/components/schemas/${name}` });

/** References to answers by their status; the names are those of `components.responses`. */
export const answers = (names: Readonly<Record<string, string>>): Record<string, Ref> =>
  Object.fromEntries(
    Object.entries({ ...names, default: 'Error' }).map(([status, name]) => [
      status,
      { $ref: `#/components/responses/${name}` },
    ]),
  );

/** A resource, or what `schema` says, in the media types that the server reads and sends. */
export const fhirContent = (schema: Schema | Ref): Content => ({
  'application/fhir+json': { schema },
  'application/json': { schema },
  'text/json': { schema },
});
