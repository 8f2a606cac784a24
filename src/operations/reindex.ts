/**
 * Makes SearchParameter resources searchable: POST begins to index all resources of their types, in the background, and
 * GET tells how far that is, as a Task. The Task is made for the answer and not stored.
 *
 * @see https://hl7.org/fhir/R4/searchparameter.html
 * @see https://hl7.org/fhir/R4/task.html
 */
import type { SearchParameter, Task } from '@medplum/fhirtypes';
import { instantText } from '../fhir/date-time.ts';
import { gone, invalid, notFound } from '../fhir/fhir-error.ts';
import { referenceText } from '../fhir/reference.ts';
import type { FhirResponse, FhirServer, Interaction } from '../interactions/fhir-request.ts';
import type { OperationTarget } from '../interactions/route.ts';
import type { JobStatus } from '../reindex/reindexing.ts';
import { checkNames, givenParameters, queryParameters, valuesOf } from './parameters.ts';

const OUTPUTS = ['indexed', 'total'] as const;

const lines = (job: JobStatus): Pick<Task, 'businessStatus' | 'output'> => ({
  businessStatus: { text: `${job.indexed} of ${job.total} resources are indexed` },
  output: OUTPUTS.map((name) => ({ type: { text: name }, valueUnsignedInt: job[name] })),
});

const inputs = ({ pending, types }: JobStatus): NonNullable<Task['input']> => [
  ...Object.keys(pending).map((name) => ({ type: { text: 'parameter' }, valueString: name })),
  ...types.map((type) => ({ type: { text: 'type' }, valueCode: type })),
];

const taskOf = (job: JobStatus): Task => {
  const { id, status, started, finished, failure } = job;
  const input = inputs(job);
  const start = instantText(started);
  return {
    resourceType: 'Task',
    id,
    status,
    ...(failure === undefined ? {} : { statusReason: { text: failure } }),
    intent: 'order',
    code: { text: '$reindex' },
    authoredOn: start,
    executionPeriod: finished === undefined ? { start } : { start, end: instantText(finished) },
    ...lines(job),
    ...(input.length === 0 ? {} : { input }),
  };
};

const answer = ({ baseUrl }: FhirServer, job: JobStatus, status: number): FhirResponse => ({
  status,
  headers: status === 202 ? { 'content-location': `${baseUrl}/$reindex` } : {},
  body: JSON.stringify(taskOf(job)),
});

/** The SearchParameter at the url. Fails with a FhirError 404 or 410. */
const storedParameter = async ({ store }: FhirServer, id: string): Promise<SearchParameter> => {
  const reference = { type: 'SearchParameter', id };
  const version = await store.read(reference);
  if (version === undefined) throw notFound(`There is no ${referenceText(reference)}`);
  if (version.isDeleted) throw gone(`${referenceText(reference)} is deleted; POST [base]/$reindex takes it out of use`);
  return JSON.parse(version.text.toString()) as SearchParameter;
};

const typesOf = (server: FhirServer, types: readonly string[]): readonly string[] => {
  const unknown = types.find((type) => !server.isResourceType(type));
  if (unknown !== undefined) throw invalid(`type: R4 has no resource type '${unknown}'`);
  return types;
};

/** `[base]/$reindex` for all SearchParameters, `SearchParameter/[id]/$reindex` for one. */
export const reindex: Interaction<OperationTarget> = async (server, request, { id }) => {
  const { reindexing } = server;
  if (request.method !== 'POST') {
    checkNames(queryParameters(request), []);
    const status = await reindexing.status();
    if (status === undefined) throw notFound('There was no $reindex yet; POST begins one');
    return answer(server, status, 200);
  }
  const given = givenParameters(server, request);
  checkNames(given, ['type']);
  const types = typesOf(server, valuesOf(given, 'type'));
  const only = id === undefined ? {} : { only: await storedParameter(server, id) };
  const job = await reindexing.request({ types, ...only });
  return answer(server, job, job.status === 'in-progress' ? 202 : 200);
};
