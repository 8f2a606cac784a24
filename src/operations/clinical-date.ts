/**
 * When the care that a resource is about took place: the search parameter that says it best, by type. Types that are
 * missing here have no such date (Coverage), or one that says nothing about care (a birth date).
 */
import type { Clause, RangeValue } from '../search/search-query.ts';

const CLINICAL_DATES: ReadonlyMap<string, string> = new Map([
  ['Account', 'period'],
  ['AdverseEvent', 'date'],
  ['AllergyIntolerance', 'onset'],
  ['Appointment', 'date'],
  ['AuditEvent', 'date'],
  ['Basic', 'created'],
  ['CarePlan', 'date'],
  ['CareTeam', 'date'],
  ['ChargeItem', 'occurrence'],
  ['Claim', 'created'],
  ['ClaimResponse', 'created'],
  ['ClinicalImpression', 'date'],
  ['Communication', 'sent'],
  ['CommunicationRequest', 'authored'],
  ['Composition', 'date'],
  ['Condition', 'onset-date'],
  ['Consent', 'date'],
  ['CoverageEligibilityRequest', 'created'],
  ['CoverageEligibilityResponse', 'created'],
  ['DetectedIssue', 'identified'],
  ['DeviceRequest', 'authored-on'],
  ['DiagnosticReport', 'date'],
  ['DocumentManifest', 'created'],
  ['DocumentReference', 'date'],
  ['Encounter', 'date'],
  ['EpisodeOfCare', 'date'],
  ['ExplanationOfBenefit', 'created'],
  ['FamilyMemberHistory', 'date'],
  ['Flag', 'date'],
  ['Goal', 'start-date'],
  ['ImagingStudy', 'started'],
  ['Immunization', 'date'],
  ['ImmunizationEvaluation', 'date'],
  ['ImmunizationRecommendation', 'date'],
  ['Invoice', 'date'],
  ['List', 'date'],
  ['MeasureReport', 'period'],
  ['Media', 'created'],
  ['MedicationAdministration', 'effective-time'],
  ['MedicationDispense', 'whenhandedover'],
  ['MedicationRequest', 'authoredon'],
  ['MedicationStatement', 'effective'],
  ['NutritionOrder', 'datetime'],
  ['Observation', 'date'],
  ['Procedure', 'date'],
  ['Provenance', 'recorded'],
  ['QuestionnaireResponse', 'authored'],
  ['RequestGroup', 'authored'],
  ['ResearchSubject', 'date'],
  ['RiskAssessment', 'date'],
  ['Schedule', 'date'],
  ['ServiceRequest', 'authored'],
  ['Specimen', 'collected'],
  ['SupplyRequest', 'date'],
  ['Task', 'authored-on'],
  ['VisionPrescription', 'datewritten'],
]);

/** A resource of `type` is of one of these times. Without a date it may be, so it is not left out. */
export const clinicalDateClauses = (type: string, times: readonly RangeValue[]): Clause[] => {
  const param = CLINICAL_DATES.get(type);
  if (param === undefined) return [];
  return times.map((time) => ({
    kind: 'any',
    clauses: [
      { kind: 'date', param, values: [time] },
      { kind: 'missing', param, entries: 'date', isMissing: true },
    ],
  }));
};
