/**
 * Where the package's definitions are not those of R4 4.0.1: it serves its own product from them and has taken over
 * elements of later releases. Everything else in them is R4's (a test compares both).
 *
 * @see https://hl7.org/fhir/R4/
 */
import type { ElementDefinition } from '@medplum/fhirtypes';

/** Types that R4 does not have. */
export const TYPES_BEYOND_R4: ReadonlySet<string> = new Set(['SubscriptionStatus']);

const below = (path: string, names: string): string[] => names.split(' ').map((name) => `${path}.${name}`);

/** Paths of elements that R4 does not have; what is below them goes with them. */
export const ELEMENTS_BEYOND_R4: ReadonlySet<string> = new Set([
  'Binary.url',
  'DeviceDefinition.bodySite',
  'DeviceDefinition.classification',
  'HealthcareService.offeredIn',
  'ObservationDefinition.publisher',
  ...below('Meta', 'project author onBehalfOf account accounts compartment deleted'),
  ...below('ResearchStudy', 'name label studyDesign region descriptionSummary classifier associatedParty'),
  ...below('ResearchStudy', 'progressStatus whyStopped recruitment comparisonGroup outcomeMeasure result'),
  'ResearchStudy.objective.description',
  ...below('EvidenceVariable.characteristic', 'linkId note definition[x] definitionReference definitionCanonical'),
  ...below('EvidenceVariable.characteristic', 'definitionCodeableConcept definitionExpression definitionId'),
  ...below('EvidenceVariable.characteristic', 'definitionByTypeAndValue definitionByCombination instances[x]'),
  ...below('EvidenceVariable.characteristic', 'duration[x] timeFromEvent'),
]);

const STRUCTURE_DEFINITION = 'http://hl7.org/fhir/StructureDefinition/';

/** `types` is written as in the specification's tables: `Reference(Patient|Group) string`. */
const element = (path: string, cardinality: string, types: string, isSummary = false): ElementDefinition => {
  const [min, max] = cardinality.split('..');
  const type = types.split(' ').map((text) => {
    const [code = '', targets] = text.replace(')', '').split('(');
    if (targets === undefined) return { code };
    return { code, targetProfile: targets.split('|').map((target) => STRUCTURE_DEFINITION + target) };
  });
  return { path, min: Number(min), max, type, isSummary } as ElementDefinition;
};

const AGENTS = 'PractitionerRole|Practitioner|Organization|Device|Patient|RelatedPerson';
const SUBJECTS = 'Patient|Practitioner|PractitionerRole|Location|Device|RelatedPerson|Group';
const CHARACTERISTIC = 'EvidenceVariable.characteristic';
const MEMBER =
  'Reference(Group) canonical(ActivityDefinition) CodeableConcept Expression DataRequirement TriggerDefinition';

/** The elements of R4 that the package lacks or has otherwise. */
export const ELEMENTS_OF_R4: readonly ElementDefinition[] = [
  element('AuditEvent.agent.who', '0..1', `Reference(${AGENTS})`, true),
  element('AuditEvent.source.observer', '1..1', `Reference(${AGENTS})`, true),
  element('Bundle.entry.response.outcome', '0..1', 'Resource', true),
  element('MeasureReport.subject', '0..1', `Reference(${SUBJECTS})`, true),
  element('ResearchStudy.site', '0..*', 'Reference(Location)', true),
  element(CHARACTERISTIC, '1..*', 'BackboneElement', true),
  element(`${CHARACTERISTIC}.description`, '0..1', 'string'),
  element(`${CHARACTERISTIC}.definition[x]`, '1..1', MEMBER, true),
  element(`${CHARACTERISTIC}.usageContext`, '0..*', 'UsageContext'),
  element(`${CHARACTERISTIC}.exclude`, '0..1', 'boolean'),
  element(`${CHARACTERISTIC}.participantEffective[x]`, '0..1', 'dateTime Period Duration Timing'),
  element(`${CHARACTERISTIC}.timeFromStart`, '0..1', 'Duration'),
  element(`${CHARACTERISTIC}.groupMeasure`, '0..1', 'code'),
];

/**
 * Elements whose JSON schema lists codes although R4 allows others: the binding of Expression.language is extensible.
 *
 * @see https://hl7.org/fhir/R4/metadatatypes.html#Expression
 */
export const OPEN_CODES: ReadonlySet<string> = new Set(['Expression.language']);

/** The value sets of required bindings for which the package has those of a later release. */
export const VALUE_SETS_OF_R4: ReadonlyMap<string, string> = new Map([
  ['DetectedIssue.status', 'http://hl7.org/fhir/ValueSet/observation-status|4.0.1'],
]);
