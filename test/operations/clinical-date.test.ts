import { test } from 'tap';
import { createCompartments } from '../../src/definitions/compartments.ts';
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { clinicalDateClauses } from '../../src/operations/clinical-date.ts';

const TIME = { prefix: 'ge', lo: 0, hi: 1 } as const;
/** Types in the Patient compartment whose only dates are those of a life. */
const OF_A_LIFE = ['Patient', 'Person', 'RelatedPerson'];

test('every type of the Patient compartment that can be searched by a date of care is, by a date parameter', async (t) => {
  const parameters = loadSearchParameters();
  for (const type of createCompartments().of('Patient')?.keys() ?? []) {
    const dates = [...parameters.of(type).values()]
      .filter((parameter) => parameter.type === 'date' && parameter.code !== '_lastUpdated')
      .map(({ code }) => code);
    const clauses = JSON.stringify(clinicalDateClauses(type, [TIME]));
    if (dates.length === 0 || OF_A_LIFE.includes(type)) t.equal(clauses, '[]', type);
    else
      t.ok(
        dates.some((code) => clauses.includes(`"param":"${code}"`)),
        type,
      );
  }
});
