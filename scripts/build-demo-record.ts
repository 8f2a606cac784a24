/**
 * Builds the demo record from its parts: `node scripts/build-demo-record.ts` writes the two PDF files of
 * fixtures/documents and then fixtures/second-opinion-request.json, one transaction Bundle. The parts in
 * fixtures/demo-record are FHIR resources with names, and refer to each other as `demo:NAME`. The output depends on
 * the parts alone, so that a second run changes nothing.
 *
 * @see https://hl7.org/fhir/R4/http.html#transaction
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FIXTURES = new URL('../fixtures/', import.meta.url);

/** In the order of the Bundle, which is the order in which a person would read the record. */
const PARTS = ['people', 'conditions', 'staging', 'laboratory', 'imaging', 'pathology', 'medications', 'documents'];

/** One entry of a part. */
interface NamedResource {
  readonly name: string;
  /** The search that makes the create conditional, for what the server may have already. */
  readonly ifNoneExist?: string;
  readonly resource: { readonly resourceType: string };
}

/** One row of fixtures/demo-record/laboratory.json: a test and its results. The numbers are `RawNumber`s. */
interface LaboratoryTest {
  readonly code: string;
  readonly display: string;
  readonly text: string;
  readonly unit: string;
  readonly ucum: string;
  readonly low: RawNumber;
  readonly high: RawNumber;
  readonly results: readonly {
    readonly taken: string;
    readonly value: RawNumber;
    readonly flag: 'L' | 'N' | 'H' | 'HH';
    readonly encounter?: string;
  }[];
}

/** A number with the digits of its source: `7.10` says that the second decimal was measured. */
interface RawNumber {
  readonly rawJSON: string;
}

/** JSON with access to the source text, as Node 24 has it and TypeScript's library does not yet. */
const SourceJson = JSON as unknown as {
  parse(text: string, revive: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): RawNumber;
};

const textOf = (path: string): string => readFileSync(new URL(path, FIXTURES), 'utf8');

/** The UUID (version 4) of an entry: the same in every run. */
const entryUuid = (name: string): string => {
  const bytes = createHash('sha256').update(`demo record: ${name}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

const entryUrl = (name: string): string => `urn:uuid:${entryUuid(name)}`;

/** What stands for a `demo:` string: a document's content, size or hash, or the fullUrl of an entry. */
const resolved = (text: string, documents: ReadonlyMap<string, Buffer>): unknown => {
  const [, aspect, file = ''] = /^demo:(data|size|hash):(.+)$/.exec(text) ?? [];
  if (aspect === undefined) return entryUrl(text.slice('demo:'.length));
  const content = documents.get(file);
  if (content === undefined) throw new Error(`There is no document ${file}`);
  if (aspect === 'data') return content.toString('base64');
  return aspect === 'size' ? content.length : createHash('sha1').update(content).digest('base64');
};

const parsedPart = (name: string, documents: ReadonlyMap<string, Buffer>): unknown =>
  SourceJson.parse(textOf(`demo-record/${name}.json`), (_key, value, { source }) => {
    if (typeof value === 'number') return SourceJson.rawJSON(source!);
    return typeof value === 'string' && value.startsWith('demo:') ? resolved(value, documents) : value;
  });

const FLAGS = { L: 'Low', N: 'Normal', H: 'High', HH: 'Critical high' };

/** The Observations of one laboratory test. */
const laboratoryObservations = (test: LaboratoryTest): NamedResource[] => {
  const quantity = (value: RawNumber) => ({
    value,
    unit: test.unit,
    system: 'http://unitsofmeasure.org',
    code: test.ucum,
  });
  const coding = (system: string, code: string, display: string) => ({ coding: [{ system, code, display }] });
  return test.results.map(({ taken, value, flag, encounter }) => ({
    name: `laboratory-${test.code}-${taken.slice(0, 10)}`,
    resource: {
      resourceType: 'Observation',
      status: 'final',
      category: [coding('http://terminology.hl7.org/CodeSystem/observation-category', 'laboratory', 'Laboratory')],
      code: { ...coding('http://loinc.org', test.code, test.display), text: test.text },
      subject: { reference: entryUrl('patient') },
      ...(encounter === undefined ? {} : { encounter: { reference: entryUrl(encounter) } }),
      effectiveDateTime: taken,
      performer: [{ reference: entryUrl('hospital') }],
      valueQuantity: quantity(value),
      interpretation: [coding('http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', flag, FLAGS[flag])],
      referenceRange: [{ low: quantity(test.low), high: quantity(test.high) }],
    },
  }));
};

/** The text of fixtures/second-opinion-request.json, given its documents by file name. */
export const demoBundleText = (documents: ReadonlyMap<string, Buffer>): string => {
  const resources = [...PARTS, 'second-opinion'].flatMap((part) => {
    const content = parsedPart(part, documents);
    return part === 'laboratory'
      ? (content as LaboratoryTest[]).flatMap(laboratoryObservations)
      : (content as NamedResource[]);
  });
  const entry = resources.map(({ name, ifNoneExist, resource }) => ({
    fullUrl: entryUrl(name),
    resource,
    request: {
      method: 'POST',
      url: resource.resourceType,
      ...(ifNoneExist === undefined ? {} : { ifNoneExist }),
    },
  }));
  return `${JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry }, null, 2)}\n`;
};

/** A4 in points, and the page's design. */
const PAGE = { width: 595, height: 842, left: 62, right: 533, top: 742, bottom: 70 };

/** How the lines of a letter look, by the mark that they begin with. Sizes and leading in points. */
const LINE_STYLES = [
  { mark: '# ', font: 'F2', size: 17, leading: 26 },
  { mark: '## ', font: 'F2', size: 11, leading: 18 },
  { mark: '| ', font: 'F3', size: 9, leading: 13 },
  { mark: '~ ', font: 'F4', size: 24, leading: 34 },
  { mark: '', font: 'F1', size: 10.5, leading: 14.5 },
];

const pdfString = (text: string): string => `(${text.replace(/[\\()]/g, '\\$&')})`;

const pdfText = (font: string, size: number, x: number, y: number, text: string): string =>
  `BT /${font} ${size} Tf ${x} ${y} Td ${pdfString(text)} Tj ET`;

/** The drawing operators of one page. */
const pageContent = (lines: readonly string[], page: number, pages: number): string => {
  const operators = [
    '0.10 0.29 0.43 rg',
    pdfText('F2', 12, PAGE.left, 790, 'Hospital Universitario Peñalarga'),
    '0.35 0.35 0.35 rg',
    pdfText('F1', 8.5, PAGE.left, 777, 'Avenida del Hospital 1, 28999 Peñalarga, Spain - telephone +34 555 010 100'),
    `0.10 0.29 0.43 RG 1 w ${PAGE.left} 768 m ${PAGE.right} 768 l S`,
    pdfText('F1', 8.5, PAGE.left, 40, 'Demonstration record: every person and place in it is fictitious.'),
    pdfText('F1', 8.5, PAGE.right - 48, 40, `Page ${page} of ${pages}`),
    '0 g',
  ];
  let y = PAGE.top;
  for (const line of lines) {
    const style = LINE_STYLES.find(({ mark }) => line.startsWith(mark))!;
    y -= line === '' ? 7 : style.leading;
    if (y < PAGE.bottom) throw new Error(`Page ${page} is full at: ${line}`);
    if (line !== '') operators.push(pdfText(style.font, style.size, PAGE.left, y, line.slice(style.mark.length)));
  }
  return operators.join('\n');
};

/**
 * A PDF of a letter, whose text has one line a line, marked as in `LINE_STYLES`, and `===` between pages. Only
 * characters of ISO 8859-1, which the standard fonts have in the same places (WinAnsiEncoding).
 */
const letterPdf = (letter: string): Buffer => {
  const pages = letter
    .trimEnd()
    .split('\n===\n')
    .map((page) => page.split('\n'));
  const title = pages[0]![0]!.slice('# '.length);
  const fonts = ['Helvetica', 'Helvetica-Bold', 'Courier', 'Times-Italic'];
  const firstPage = 4 + fonts.length;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R /Lang (en) /ViewerPreferences << /DisplayDocTitle true >> >>',
    `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, at) => `${firstPage + 2 * at} 0 R`).join(' ')}] >>`,
    `<< /Title ${pdfString(title)} /Author (Hospital Universitario Peñalarga) >>`,
    ...fonts.map((font) => `<< /Type /Font /Subtype /Type1 /BaseFont /${font} /Encoding /WinAnsiEncoding >>`),
    ...pages.flatMap((lines, at) => {
      const content = pageContent(lines, at + 1, pages.length);
      const resources = `<< /Font << ${fonts.map((_, font) => `/F${font + 1} ${4 + font} 0 R`).join(' ')} >> >>`;
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${PAGE.width} ${PAGE.height}] /Resources ${resources} ` +
          `/Contents ${firstPage + 2 * at + 1} 0 R >>`,
        `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
      ];
    }),
  ];
  // In ISO 8859-1 a character is a byte, so that lengths of strings are offsets in the file.
  let file = '%PDF-1.4\n%âãÏÓ\n';
  const offsets = objects.map((object, at) => {
    const offset = file.length;
    file += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const trailer = `<< /Size ${objects.length + 1} /Root 1 0 R /Info 3 0 R >>`;
  return Buffer.from(
    `${file}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n${trailer}\nstartxref\n${file.length}\n%%EOF\n`,
    'latin1',
  );
};

/** The documents of the record, by file name. */
export const demoDocuments = (): ReadonlyMap<string, Buffer> =>
  new Map([
    ['discharge-letter.pdf', letterPdf(textOf('demo-record/discharge-letter.txt'))],
    ['consent-form.pdf', letterPdf(textOf('demo-record/consent-form.txt'))],
    ['referral-note.xml', Buffer.from(textOf('documents/referral-note.xml'))],
  ]);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const documents = demoDocuments();
  for (const [name, content] of documents) {
    if (name.endsWith('.pdf')) writeFileSync(new URL(`documents/${name}`, FIXTURES), content);
  }
  writeFileSync(new URL('second-opinion-request.json', FIXTURES), demoBundleText(documents));
}
