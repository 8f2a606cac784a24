/**
 * What a client may know of the authorization server before it speaks to it.
 *
 * @see https://hl7.org/fhir/smart-app-launch/conformance.html
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
 */
import type { AuthServer } from '../auth-server.ts';
import { ASSERTION_ALGORITHMS } from '../clients/client-assertion.ts';
import { SIGNING_ALGORITHM } from '../keys/signing-keys.ts';
import { GRANT_TYPES } from './token.ts';

/** Each is something that works here. @see https://hl7.org/fhir/smart-app-launch/conformance.html#capabilities */
const CAPABILITIES = [
  'launch-ehr',
  'launch-standalone',
  'authorize-post',
  'client-public',
  'client-confidential-symmetric',
  'client-confidential-asymmetric',
  'sso-openid-connect',
  'context-banner',
  'context-style',
  'context-ehr-patient',
  'context-ehr-encounter',
  'context-standalone-patient',
  'context-standalone-encounter',
  'permission-offline',
  'permission-online',
  'permission-patient',
  'permission-user',
  'permission-v1',
  'permission-v2',
] as const;

/** Each can be granted to a client that registers it; there are many more of the same forms. */
const SCOPES = [
  ...['openid', 'fhirUser', 'launch', 'launch/patient', 'launch/encounter', 'offline_access', 'online_access'],
  ...['patient', 'user', 'system'].flatMap((level) =>
    ['*.cruds', '*.rs', '*.read', '*.write', '*.*', 'Patient.rs', 'Observation.rs'].map((rest) => `${level}/${rest}`),
  ),
];

const AUTHENTICATION_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'];

type Metadata = Readonly<Record<string, unknown>>;

/** The absolute urls of the endpoints. */
export const endpointUrls = ({ issuer, limits }: Pick<AuthServer, 'issuer' | 'limits'>) => ({
  authorization_endpoint: `${issuer}/auth/authorize`,
  token_endpoint: `${issuer}/auth/token`,
  jwks_uri: `${issuer}/auth/jwks`,
  introspection_endpoint: `${issuer}/auth/introspect`,
  revocation_endpoint: `${issuer}/auth/revoke`,
  management_endpoint: `${issuer}/auth/manage`,
  ...(limits.registrationToken === undefined ? {} : { registration_endpoint: `${issuer}/auth/register` }),
});

const common = (server: AuthServer): Metadata => ({
  issuer: server.issuer,
  ...endpointUrls(server),
  token_endpoint_auth_methods_supported: AUTHENTICATION_METHODS,
  token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
  grant_types_supported: GRANT_TYPES,
  response_types_supported: ['code'],
  scopes_supported: SCOPES,
  code_challenge_methods_supported: ['S256'],
});

/** `/fhir/.well-known/smart-configuration` */
export const smartConfiguration = (server: AuthServer): Metadata => ({
  ...common(server),
  capabilities: CAPABILITIES,
});

/** `/.well-known/openid-configuration` */
export const openIdConfiguration = (server: AuthServer): Metadata => ({
  ...common(server),
  userinfo_endpoint: `${server.issuer}/auth/userinfo`,
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: [SIGNING_ALGORITHM],
  response_modes_supported: ['query'],
  claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'fhirUser'],
  introspection_endpoint_auth_methods_supported: AUTHENTICATION_METHODS,
  revocation_endpoint_auth_methods_supported: AUTHENTICATION_METHODS,
  // RFC 9207
  authorization_response_iss_parameter_supported: true,
  claims_parameter_supported: false,
  request_parameter_supported: false,
  request_uri_parameter_supported: false,
});

/** How an app may look in the launching EHR. @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#styling */
export const SMART_STYLE: Metadata = {
  color_background: '#ffffff',
  color_error: '#a4262c',
  color_highlight: '#e8f1fa',
  color_modal_backdrop: '#00000080',
  color_success: '#0f6b3c',
  color_text: '#1b1b1b',
  dim_border_radius: '4px',
  dim_font_size: '16px',
  dim_spacing_size: '16px',
  font_family_body: "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
  font_family_heading: "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
};

export const smartStyleUrl = ({ issuer }: Pick<AuthServer, 'issuer'>): string => `${issuer}/auth/smart-style.json`;
