/**
 * How a client gets in, as the CapabilityStatement says it.
 *
 * @see https://hl7.org/fhir/smart-app-launch/conformance.html#using-cs
 */
import type { CapabilityStatementRestSecurity, Extension } from '@medplum/fhirtypes';
import type { endpointUrls } from '../auth/endpoints/discovery.ts';

/** The absolute urls of the authorization server. */
export type AuthEndpoints = ReturnType<typeof endpointUrls>;

const OPEN =
  'There is no sign-in (CONSILIUM_ACCESS=open): the server listens on loopback only, and answers whoever reaches it there.';

const SMART =
  'SMART App Launch and Backend Services; [base]/.well-known/smart-configuration has more. Without a token only this statement is answered.';

const OAUTH_URIS = 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris';

const oauthUris = (endpoints: AuthEndpoints): Extension => {
  const { registration_endpoint: register } = endpoints;
  const urls: Readonly<Record<string, string | undefined>> = {
    authorize: endpoints.authorization_endpoint,
    token: endpoints.token_endpoint,
    register,
    introspect: endpoints.introspection_endpoint,
    revoke: endpoints.revocation_endpoint,
    manage: endpoints.management_endpoint,
  };
  const extension = Object.entries(urls).flatMap(([url, valueUri]) =>
    valueUri === undefined ? [] : [{ url, valueUri }],
  );
  return { url: OAUTH_URIS, extension };
};

const SMART_ON_FHIR = {
  coding: [
    {
      system: 'http://terminology.hl7.org/CodeSystem/restful-security-service',
      code: 'SMART-on-FHIR',
      display: 'SMART-on-FHIR',
    },
  ],
  text: 'OAuth2 using SMART-on-FHIR profile (see http://docs.smarthealthit.org)',
};

/** `endpoints`: undefined for a server without sign-in. */
export const restSecurity = (endpoints: AuthEndpoints | undefined): CapabilityStatementRestSecurity =>
  endpoints === undefined
    ? { description: OPEN }
    : { extension: [oauthUris(endpoints)], cors: true, service: [SMART_ON_FHIR], description: SMART };
