/**
 * The official R4 examples that are not valid R4, each with its first fault. All five have been compared with the
 * definitions of R4 by hand.
 */
export const REFUSED_EXAMPLES: Readonly<Record<string, string>> = {
  // R4: DeviceMetric.parent is a Reference(Device).
  'DeviceMetric-example.json':
    "DeviceMetric.parent.reference: 'DeviceDefinition/dc102' is a reference to DeviceDefinition; possible here: Device",
  // R4: reasonReference is a Reference(Condition | Observation | DiagnosticReport | DocumentReference | Media).
  'DeviceUseStatement-example.json':
    "DeviceUseStatement.reasonReference[0].reference: 'Procedure/example' is a reference to Procedure; possible here: Condition, Observation, DiagnosticReport, DocumentReference, Media",
  // R4: dispenseRequest.performer is a Reference(Organization).
  'MedicationRequest-medrx0301.json':
    "MedicationRequest.dispenseRequest.performer.reference: 'Practitioner/f001' is a reference to Practitioner; possible here: Organization",
  // R4: an Encounter performs no Observation.
  'Observation-clinical-gender.json':
    "Observation.performer[0].reference: 'Encounter/example' is a reference to Encounter; possible here: Practitioner, PractitionerRole, Organization, CareTeam, Patient, RelatedPerson",
  // R4: Questionnaire.item.linkId is 1..1.
  'Questionnaire-qs1.json': 'Questionnaire.item[0].item[0].linkId: required, and missing',
};
