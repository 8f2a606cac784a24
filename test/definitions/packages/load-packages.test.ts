import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { loadPackages, loadProfiles } from '../../../src/definitions/packages/load-packages.ts';
import { absence, dataFolder } from '../../data/shared-data.ts';
import { startServerProcess } from '../../http/server-process.ts';
import { temporaryFolder } from '../../http/test-server.ts';
import { type ArchivedFile, tgzOf } from './tar-archive.ts';

const LIMITS = { packageBytes: 100_000, packageFiles: 20 };

const MANIFEST = JSON.stringify({ name: 'my.guide', version: '1.2.3', fhirVersions: ['4.0.1'] });
const PARAMETER = JSON.stringify({ resourceType: 'SearchParameter', id: 'a', code: 'a' });
const PROFILE = JSON.stringify({ resourceType: 'StructureDefinition', id: 'p' });

const GUIDE: readonly ArchivedFile[] = [
  { path: 'package/package.json', content: MANIFEST },
  { path: 'package/.index.json', content: 'no JSON' },
  { path: 'package/SearchParameter-b.json', content: PARAMETER.replaceAll('"a"', '"b"') },
  { path: 'package/SearchParameter-a.json', content: `\uFEFF${PARAMETER}` },
  { path: 'package/StructureDefinition-p.json', content: PROFILE },
  { path: 'package/readme.txt', content: 'text' },
  { path: 'package/example/SearchParameter-example.json', content: PARAMETER },
];

const folderWith = (t: Test, name: string, content: Buffer | string): string => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, name), content);
  return folder;
};

const load = (t: Test, files: readonly ArchivedFile[], limits = LIMITS) =>
  loadPackages(folderWith(t, 'guide.tgz', tgzOf(files)), limits);

const writeUnpacked = (folder: string, files: readonly ArchivedFile[]): void => {
  for (const { path, content } of files) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
};

test('a .tgz gives the resources of package/ by type, in the order of their files, without examples', (t) => {
  const [guide, ...more] = load(t, GUIDE);
  t.same(more, []);
  t.equal(guide?.name, 'my.guide#1.2.3');
  const found = [...(guide?.resources('SearchParameter') ?? [])];
  t.match(found, [
    { source: 'my.guide#1.2.3 SearchParameter-a.json', resource: { id: 'a' } },
    { source: 'my.guide#1.2.3 SearchParameter-b.json', resource: { id: 'b' } },
  ]);
  t.equal(found.length, 2);
  t.match([...(guide?.resources('StructureDefinition') ?? [])], [{ resource: { id: 'p' } }]);
  t.same([...(guide?.resources('ValueSet') ?? [])], []);
  t.end();
});

test('an unpacked package has its files in package/ or itself, and packages come in the order of their names', (t) => {
  const folder = temporaryFolder(t);
  writeUnpacked(join(folder, 'b'), GUIDE);
  writeUnpacked(join(folder, 'a'), [{ path: 'package.json', content: MANIFEST.replace('my.', 'our.') }]);
  writeFileSync(join(folder, '.hidden'), '');
  const [first, second] = loadPackages(folder, LIMITS);
  t.equal(first?.name, 'our.guide#1.2.3');
  t.equal([...(second?.resources('SearchParameter') ?? [])].length, 2);
  t.end();
});

test('profiles are a folder of resources that is no package', (t) => {
  const folder = folderWith(t, 'SearchParameter-a.json', PARAMETER);
  const { resources } = loadProfiles(folder, LIMITS);
  t.match([...resources('SearchParameter')], [{ source: 'profiles SearchParameter-a.json', resource: { id: 'a' } }]);
  t.end();
});

test('nothing is read through links, of a folder or an archive', (t) => {
  const folder = temporaryFolder(t);
  writeUnpacked(join(folder, 'a'), [{ path: 'package.json', content: MANIFEST }]);
  writeFileSync(join(folder, 'a', 'target.txt'), PARAMETER);
  symlinkSync('target.txt', join(folder, 'a', 'SearchParameter-link.json'));
  writeFileSync(
    join(folder, 'b.tgz'),
    tgzOf([GUIDE[0] as ArchivedFile, { path: 'package/SearchParameter-link.json', content: '', type: '2' }]),
  );
  for (const each of loadPackages(folder, LIMITS)) t.same([...each.resources('SearchParameter')], []);
  t.end();
});

test('a package that is broken is refused with one line that names the file', (t) => {
  const wrong: readonly (readonly [name: string, content: Buffer | string, reason: RegExp])[] = [
    ['a.tgz', 'no archive', /a\.tgz cannot be unpacked: /],
    ['a.tgz', tgzOf(GUIDE).subarray(0, 200), /a\.tgz cannot be unpacked: /],
    ['a.tgz', gzipSync('x'.repeat(2000)), /a\.tgz is no (?:whole archive|FHIR package)/],
    ['a.tgz', gzipSync(Buffer.from('x')), /a\.tgz is no /],
    ['a.tgz', tgzOf([{ path: 'package/x.json', content: PARAMETER }]), /is no FHIR package: it has no package\.json/],
    ['a.tgz', tgzOf([{ path: 'package/package.json', content: '{' }]), /a\.tgz: package\.json is no JSON: /],
    ['a.tgz', tgzOf([...GUIDE, { path: 'package/z.json', content: '[]' }]), /a\.tgz: z\.json is no JSON object/],
    ['a.tgz', tgzOf([...GUIDE, { path: 'package/z.json', content: Buffer.from([0xff]) }]), /z\.json is not UTF-8/],
    [
      'a.tgz',
      tgzOf([{ path: 'package/package.json', content: MANIFEST.replace('4.0.1', '5.0.0') }]),
      /is for FHIR 5\.0\.0, and this server is of R4/,
    ],
    ['a.txt', 'text', /a\.txt is neither a \.tgz nor the folder of a package/],
    ['a.tar.gz', tgzOf(GUIDE), /is neither a \.tgz nor/],
  ];
  for (const [name, content, reason] of wrong) {
    const folder = folderWith(t, name, content);
    t.throws(() => loadPackages(folder, LIMITS), { name: 'PackageUnusable', message: reason }, String(reason));
    t.throws(() => loadPackages(folder, LIMITS), { message: /^[^\n]+$/ });
  }
  t.throws(() => loadPackages(join(temporaryFolder(t), 'none'), LIMITS), { message: /none cannot be read/ });
  const empty = temporaryFolder(t);
  mkdirSync(join(empty, 'nothing'));
  t.throws(() => loadPackages(empty, LIMITS), { message: /nothing is no FHIR package/ });
  t.end();
});

test('a path that leads out of the package is refused', (t) => {
  for (const path of [
    '../evil.json',
    'package/../../evil.json',
    '/etc/evil.json',
    'package\\..\\evil.json',
    'C:/evil.json',
  ])
    t.throws(
      () => load(t, [...GUIDE, { path, content: '{}' }]),
      { message: /has a file outside of the package: / },
      path,
    );
  t.end();
});

test('a package that is too large is refused with the name of the limit', (t) => {
  const zeros = { path: 'package/z.txt', content: Buffer.alloc(200_000) };
  t.throws(() => load(t, [...GUIDE, zeros]), { message: /more than 100000 bytes.*CONSILIUM_PACKAGE_MEGABYTES/ });
  const limits = { ...LIMITS, packageFiles: 3 };
  t.throws(() => load(t, GUIDE, limits), { message: /more than 3 files.*CONSILIUM_PACKAGE_FILES/ });
  const folder = temporaryFolder(t);
  writeUnpacked(join(folder, 'a'), GUIDE);
  t.throws(() => loadPackages(folder, limits), { message: /more than 3 files/ });
  t.throws(() => loadPackages(folder, { ...LIMITS, packageBytes: 100 }), { message: /more than 100 bytes/ });
  t.end();
});

test('US Core and IPS are read', { skip: absence('packages') }, (t) => {
  const packages = loadPackages(dataFolder('packages').pathname, { packageBytes: 200e6, packageFiles: 20_000 });
  t.same(
    packages.map(({ name, resources }) => [name, [...resources('SearchParameter')].length]),
    [
      ['hl7.fhir.us.core#6.1.0', 106],
      ['hl7.fhir.uv.ips#1.1.0', 0],
    ],
  );
  t.end();
});

test('a broken package stops the start', async (t) => {
  const folder = folderWith(t, 'guide.tgz', 'no archive');
  const server = startServerProcess(t, { CONSILIUM_DATA: temporaryFolder(t), CONSILIUM_PACKAGES: folder });
  const { code, stderr } = await server.ended;
  t.equal(code, 1);
  t.match(stderr, /^CONSILIUM_PACKAGES: [^\n]*guide\.tgz cannot be unpacked: [^\n]*\n$/);
});
