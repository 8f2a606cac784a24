/** The web server without FHIR behind it: it answers every request with one text. What is left is the cost of HTTP. */
import { randomUUID } from 'node:crypto';
import { buildApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import type { FhirServer } from '../../src/interactions/fhir-request.ts';
import { createRandom, laboratoryResult } from './resources.ts';

const config = readConfig();
const body = Buffer.from(JSON.stringify({ ...laboratoryResult('Patient/1', createRandom(1)), id: randomUUID() }));
const headers = { etag: 'W/"1"', 'last-modified': new Date().toUTCString() };
const answer: FhirServer['answer'] = async ({ method }) => ({ status: method === 'POST' ? 201 : 200, headers, body });
// Of the FHIR server the web server calls nothing but this, except for `/readyz`.
const app = buildApp(config, { answer } as FhirServer);
process.once('SIGTERM', () => app.close());
process.stdout.write(`Consilium is ready at ${await app.listen({ host: config.host, port: config.port })}/fhir\n`);
