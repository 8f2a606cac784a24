/**
 * `POST /auth/launch`: an EHR, or a person who works with one, is about to open an app, and says what it will be about. The
 * app gets an opaque `launch`, and what it stands for once somebody has signed in and approved.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#launch-app-ehr-launch
 */
import type { AuthServer } from '../auth-server.ts';
import { enabledClient } from '../clients/clients.ts';
import { isWebUrl } from '../clients/urls.ts';
import { keepLaunch } from '../launches.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Reach } from '../reach.ts';
import { authenticate } from '../tokens/authenticate.ts';
import type { FhirContextItem, LaunchContext } from '../tokens/grant.ts';
import { smartStyleUrl } from './discovery.ts';

const MAXIMUM_CONTEXT = 50;

/** Who creates a launch. */
export interface Launcher {
  readonly reach: Reach;
  /** Absent for a system. */
  readonly userId?: string;
}

/** The url for the app is there if it has registered one. */
export interface LaunchAnswer {
  readonly launch: string;
  readonly iss: string;
  readonly launch_url?: string;
}

const refusal = (description: string): OAuthError => new OAuthError(400, 'invalid_request', description);

type Asked = Readonly<Record<string, unknown>>;

/** A member that is a text of at most 200 characters. */
const textOf = (asked: Asked, name: string): string | undefined => {
  const value = asked[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > 200) throw refusal(`${name} must be a text`);
  return value;
};

const ID = /^[A-Za-z0-9.-]{1,64}$/;

/** `123` or `Patient/123` as `123`. */
const idOf = (asked: Asked, name: string, type: string): string | undefined => {
  const id = textOf(asked, name)?.replace(`${type}/`, '');
  if (id !== undefined && !ID.test(id)) throw refusal(`${name} must be the id of a ${type}`);
  return id;
};

const REFERENCE = /^([A-Za-z]+)\/[A-Za-z0-9.-]{1,64}$/;

const isObject = (value: unknown): value is Asked =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What an item is for unless it says otherwise. Other roles are urls. */
const LAUNCH_ROLE = 'launch';

/**
 * Why an item of `fhirContext` is refused; undefined if it is not.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#fhircontext-exp
 */
const reasonAgainstItem = ({ isResourceType }: AuthServer, item: unknown): string | undefined => {
  if (!isObject(item)) return 'it is no object';
  const { reference, canonical, identifier, type, role } = item;
  if (reference === undefined && canonical === undefined && identifier === undefined)
    return 'it has neither reference nor canonical nor identifier';
  const target = typeof reference === 'string' ? REFERENCE.exec(reference)?.[1] : undefined;
  if (reference !== undefined && (target === undefined || !isResourceType(target)))
    return 'reference must be relative, such as ImagingStudy/123';
  // SMART: these two are told by parameters of their own, unless a role says that they mean something else.
  if ((target === 'Patient' || target === 'Encounter') && (role === undefined || role === LAUNCH_ROLE))
    return `a ${target} without a role of its own belongs into ${target.toLowerCase()}`;
  if (canonical !== undefined && !(typeof canonical === 'string' && /^https?:\/\//.test(canonical)))
    return 'canonical must be a url';
  if (identifier !== undefined && !isObject(identifier)) return 'identifier must be an object';
  if (type !== undefined && !(typeof type === 'string' && isResourceType(type))) return 'type must be a resource type';
  if (role === undefined || role === LAUNCH_ROLE) return undefined;
  return typeof role === 'string' && URL.canParse(role) ? undefined : `role must be ${LAUNCH_ROLE} or an absolute url`;
};

const fhirContextOf = (server: AuthServer, { fhirContext }: Asked): readonly FhirContextItem[] | undefined => {
  if (fhirContext === undefined) return undefined;
  if (!Array.isArray(fhirContext) || fhirContext.length > MAXIMUM_CONTEXT)
    throw refusal(`fhirContext must be an array of at most ${MAXIMUM_CONTEXT} objects`);
  for (const item of fhirContext) {
    const reason = reasonAgainstItem(server, item);
    if (reason !== undefined) throw refusal(`fhirContext: ${reason}`);
  }
  return fhirContext as FhirContextItem[];
};

const contextOf = (server: AuthServer, asked: Asked): LaunchContext => {
  const patient = idOf(asked, 'patient', 'Patient');
  const encounter = idOf(asked, 'encounter', 'Encounter');
  const intent = textOf(asked, 'intent');
  const fhirContext = fhirContextOf(server, asked);
  const { need_patient_banner: needPatientBanner = true, smart_style_url: style = smartStyleUrl(server) } = asked;
  if (typeof needPatientBanner !== 'boolean') throw refusal('need_patient_banner must be true or false');
  if (typeof style !== 'string' || !isWebUrl(style)) throw refusal('smart_style_url must be an absolute https url');
  return {
    ...(patient === undefined ? {} : { patient }),
    ...(encounter === undefined ? {} : { encounter }),
    ...(intent === undefined ? {} : { intent }),
    ...(fhirContext === undefined ? {} : { fhirContext }),
    needPatientBanner,
    smartStyleUrl: style,
  };
};

/** Throws an OAuthError unless who creates the launch reaches all that it is about. */
const checkReach = async ({ directory }: AuthServer, reach: Reach, context: LaunchContext): Promise<void> => {
  const { patient, encounter, fhirContext = [] } = context;
  const named = [
    ...(patient === undefined ? [] : [`Patient/${patient}`]),
    ...(encounter === undefined ? [] : [`Encounter/${encounter}`]),
    ...fhirContext.flatMap(({ reference }) => (reference === undefined ? [] : [reference])),
  ];
  for (const reference of named)
    if (!(await directory.isWithin(reach, reference)))
      throw refusal(`${reference} is not there, or not within your reach`);
  if (encounter === undefined) return;
  if (patient === undefined) throw refusal('An encounter needs its patient');
  if (!(await directory.isEncounterOf(encounter, patient)))
    throw refusal(`Encounter/${encounter} is not one of Patient/${patient}`);
};

const launchUrl = (uri: string, launch: string, iss: string): string => {
  const url = new URL(uri);
  url.searchParams.set('iss', iss);
  url.searchParams.set('launch', launch);
  return url.href;
};

/** Makes a launch on behalf of somebody. `asked` is the parsed body. Throws an OAuthError. */
export const createLaunch = async (server: AuthServer, by: Launcher, asked: unknown): Promise<LaunchAnswer> => {
  if (!isObject(asked)) throw refusal('The body must be a JSON object');
  const client = await enabledClient(server, textOf(asked, 'client_id') ?? '');
  if (client === undefined || client.kind === 'backend') throw refusal('client_id is no app that can be launched');
  const context = contextOf(server, asked);
  await checkReach(server, by.reach, context);
  const launchedBy = by.userId === undefined ? {} : { launchedBy: by.userId };
  const launch = await keepLaunch(server, { clientId: client.id, context, ...launchedBy });
  const [uri] = client.launchUris;
  const iss = server.fhirBase;
  return { launch, iss, ...(uri === undefined ? {} : { launch_url: launchUrl(uri, launch, iss) }) };
};

/** The same for a system, by its access token. */
export const launchEndpoint = async (
  server: AuthServer,
  token: string | undefined,
  asked: unknown,
): Promise<LaunchAnswer> => {
  const found = token === undefined ? undefined : await authenticate(server, token);
  if (found === undefined)
    throw new OAuthError(401, 'invalid_token', 'The access token of a backend client is needed', {
      'www-authenticate': token === undefined ? 'Bearer' : 'Bearer error="invalid_token"',
    });
  // An app must not choose the patient of the next one.
  if (found.user !== undefined)
    throw new OAuthError(403, 'insufficient_scope', 'Only a backend client, or a signed-in person, creates launches', {
      'www-authenticate': 'Bearer error="insufficient_scope"',
    });
  return createLaunch(server, { reach: found.access.reach }, asked);
};
