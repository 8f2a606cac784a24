/** Descriptions of the server cost milliseconds to make, and stay the same until its search parameters change. */
import type { FhirServer } from './fhir-request.ts';

/** Makes the text when it is first asked for, and again for other parameters or another base url, as behind a proxy. */
export const keptText = (make: (server: FhirServer) => string): ((server: FhirServer) => string) => {
  let last: { baseUrl: string; generation: number; text: string } | undefined;
  return (server) => {
    const { baseUrl } = server;
    const { generation } = server.parameters;
    if (last?.baseUrl !== baseUrl || last.generation !== generation) last = { baseUrl, generation, text: make(server) };
    return last.text;
  };
};
