/** From a server's answer to what became of each entry. */
import type { OperationOutcome } from '@medplum/fhirtypes';
import { type IssueCode, issue } from '../../src/fhir/fhir-error.ts';
import { operationOutcome } from '../../src/fhir/operation-outcome.ts';
import type { Answer, Failure } from './fhir-client.ts';
import type { EntryName, Push, Unpushable } from './pushes.ts';

/** `unknown`: the server had the request, and did not say what it did with it. */
export type Fate = 'created' | 'updated' | 'refused' | 'unknown';

export interface EntryResult {
  readonly name: EntryName;
  readonly fate: Fate;
  /** The HTTP status of the entry, or of the whole; null if there was none. */
  readonly status: number | null;
  /** Why it was refused or is unknown. */
  readonly outcome?: OperationOutcome;
}

type Json = Readonly<Record<string, unknown>>;

const EXCERPT_CHARACTERS = 300;
const NAMELESS: EntryName = { entry: null, fullUrl: null, type: null, id: null };

const outcomeOf = (code: IssueCode, sentence: string): OperationOutcome => operationOutcome([issue(code, sentence)]);

const isOutcome = (value: unknown): value is OperationOutcome =>
  (value as OperationOutcome | undefined)?.resourceType === 'OperationOutcome';

const jsonObject = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;

const jsonOf = (body: Buffer): Json | undefined => {
  try {
    return jsonObject(JSON.parse(body.toString()));
  } catch {
    return undefined;
  }
};

/** A Bundle without entries still is one thing that can be refused. */
const namesOf = (push: Push): readonly EntryName[] => (push.entries.length === 0 ? [NAMELESS] : push.entries);

const allOf = (push: Push, fate: Fate, status: number | null, outcome: OperationOutcome): EntryResult[] =>
  namesOf(push).map((name) => ({ name, fate, status, outcome }));

const refusal = (push: Push, { status, headers, body }: Answer): EntryResult[] => {
  const json = jsonOf(body);
  if (isOutcome(json)) return allOf(push, 'refused', status, json);
  const location = headers.location === undefined ? '' : ` and points to ${headers.location}`;
  const excerpt = body.toString().slice(0, EXCERPT_CHARACTERS).trim();
  const sentence = `The server answered ${status}${location}, without an OperationOutcome${excerpt && `: ${excerpt}`}`;
  return allOf(push, 'refused', status, outcomeOf('processing', sentence));
};

const fateOf = (status: number): Fate => {
  if (status === 201) return 'created';
  return status >= 200 && status < 400 ? 'updated' : 'refused';
};

/**
 * One entry of a batch-response or transaction-response.
 *
 * @see https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response.status
 */
const entryResult = (name: EntryName, entry: unknown): EntryResult => {
  const response = jsonObject(jsonObject(entry)?.['response']) ?? {};
  const status = Number(/^\s*(\d{3})\b/.exec(String(response['status']))?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) {
    const outcome = outcomeOf('processing', 'The answer does not say what became of this entry: it has no status');
    return { name, fate: 'unknown', status: null, outcome };
  }
  const fate = fateOf(status);
  if (fate !== 'refused') return { name, fate, status };
  const outcome = isOutcome(response['outcome'])
    ? response['outcome']
    : outcomeOf('processing', `The server answered ${response['status']} for this entry, without an OperationOutcome`);
  return { name, fate, status, outcome };
};

const bundleResults = (push: Push, { status, body }: Answer): EntryResult[] => {
  const json = jsonOf(body);
  if (json?.['resourceType'] !== 'Bundle') {
    const sentence = `The server answered ${status} without a Bundle, so what became of the entries is not known`;
    return allOf(push, 'unknown', status, outcomeOf('processing', `${sentence}; is the base right?`));
  }
  const answered = Array.isArray(json['entry']) ? json['entry'] : [];
  return push.entries.map((name, index) => entryResult(name, answered[index]));
};

const resourceResults = (push: Push, { status, body }: Answer): EntryResult[] => {
  const isFhir = body.length === 0 || typeof jsonOf(body)?.['resourceType'] === 'string';
  if (isFhir) return namesOf(push).map((name) => ({ name, fate: fateOf(status), status }));
  const sentence = `The server answered ${status} with something that is not FHIR; is the base right?`;
  return allOf(push, 'unknown', status, outcomeOf('processing', sentence));
};

/** What became of each entry of `push`, from the final answer. */
export const answeredResults = (push: Push, answer: Answer): EntryResult[] => {
  const isLostByGateway = answer.status === 502 || answer.status === 504;
  if (isLostByGateway) {
    const sentence = `Outcome unknown: it may have been stored; a gateway answered ${answer.status}`;
    return allOf(push, 'unknown', answer.status, outcomeOf('transient', sentence));
  }
  if (answer.status < 200 || answer.status >= 300) return refusal(push, answer);
  return push.kind === 'resource' ? resourceResults(push, answer) : bundleResults(push, answer);
};

/** What became of each entry of `push` when there is no answer. */
export const unansweredResults = (push: Push, { stage, message }: Failure, attempts: number): EntryResult[] => {
  const tries = attempts === 1 ? '' : ` (${attempts} attempts)`;
  if (stage === 'sent') {
    const sentence = `Outcome unknown: it may have been stored; the connection broke after it was sent: ${message}`;
    return allOf(push, 'unknown', null, outcomeOf('transient', `${sentence}${tries}`));
  }
  const size = `${push.body.length.toLocaleString('en-US')} bytes`;
  const sentence = `Not stored: the connection broke while its ${size} were being sent: ${message}${tries}`;
  return allOf(push, 'refused', null, outcomeOf('transient', sentence));
};

/** The result for what could not be sent at all. */
export const unpushableResult = ({ problem }: Unpushable): EntryResult => ({
  name: NAMELESS,
  fate: 'refused',
  status: null,
  outcome: outcomeOf('invalid', problem),
});
