/** `npx consilium copy --from STORE --to STORE`. */
import { SingleBar } from 'cli-progress';
import { checkKeyOf, keepKeyIn, readConfigWithKeyIn } from '../config.ts';
import { type CopyProgress, checkSource, copyStore } from '../copying/copy-store.ts';
import { loadSearchParameters } from '../definitions/search-parameters.ts';
import { loadStructures } from '../definitions/structures.ts';
import { checkStoreIn, folderOf, openStoreAt, shownAddress } from '../open-store.ts';
import { createExtractor } from '../search/extract.ts';

const PHASES: Readonly<Record<CopyProgress['phase'], string>> = {
  numbers: 'numbers',
  resources: 'resources',
  records: 'records',
  comparison: 'compared',
};

/** A bar on a terminal, else a line for each phase. */
const startProgress = (stream: NodeJS.WriteStream) => {
  const bar = stream.isTTY
    ? new SingleBar({ format: '[{bar}] {value} {phase}', stream, hideCursor: true, forceRedraw: true })
    : undefined;
  let phase = '';
  let total = 0;
  bar?.start(1, 0, { phase: '' });
  return {
    show: (progress: CopyProgress): void => {
      total = Math.max(total, progress.total ?? progress.done);
      bar?.setTotal(total);
      bar?.update(progress.done, { phase: PHASES[progress.phase] });
      if (bar === undefined && progress.phase !== phase) stream.write(`${PHASES[progress.phase]} ...\n`);
      phase = progress.phase;
    },
    stop: (): void => bar?.stop(),
  };
};

/**
 * Copies, and says what it has copied. Nothing is made before the source is known to have something. Throws CopyRefused,
 * StoreUnusable or ConfigurationError.
 */
export const copyCommand = async ({ from, to }: { from: string; to: string }): Promise<void> => {
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
  if (fromFolder !== undefined) checkStoreIn(fromFolder);
  const { config, isKeyOfFolder } = readConfigWithKeyIn(fromFolder ?? toFolder);
  const keyFolder = isKeyOfFolder ? toFolder : undefined;
  if (keyFolder !== undefined) checkKeyOf(keyFolder, config.storeKey);
  const source = await openStoreAt(from, config, 'source');
  try {
    await checkSource(source);
    const target = await openStoreAt(to, config, 'target');
    const progress = startProgress(process.stderr);
    try {
      const base = `${config.baseUrl ?? `http://${config.host}:${config.port}`}/fhir`;
      const entriesOf = createExtractor(loadStructures(), loadSearchParameters(), base, config.zoneOffsetMinutes);
      const result = await copyStore({
        source,
        target,
        from: shownAddress(from),
        entriesOf,
        onProgress: progress.show,
      });
      if (keyFolder !== undefined) keepKeyIn(keyFolder, config.storeKey);
      const { resources, versions, records, digest } = result;
      process.stdout.write(
        `Copied ${resources} resources with ${versions} versions, and ${records} records; both stores are the same (SHA-256 ${digest})\n`,
      );
    } finally {
      progress.stop();
      await target.close();
    }
  } finally {
    await source.close();
  }
};
