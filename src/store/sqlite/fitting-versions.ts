/** Loads the versions of a page one by one, until their texts have as many bytes as an answer may have. */
import type { Version } from '../store.ts';
import type { Connection } from './database.ts';
import { sourceText, type VersionRow, versionOf } from './version-row.ts';

/** Without its body if that has more bytes than fit: it is not even read then. */
type FittingRow = Omit<VersionRow, 'body'> & { readonly body: Buffer | null };

const COLUMNS =
  `s.text AS type, r.id, v.version, v.updated, v.live, v.action, ${sourceText('v')}, ` +
  'CASE WHEN length(v.body) <= ? THEN v.body END AS body';

interface Made {
  readonly rid: number;
  readonly version: number;
}

export interface Fitting<Item> {
  readonly versions: readonly Version[];
  /** The last item that was loaded, if there are others that do not fit. */
  readonly last?: Item;
  readonly isCut: boolean;
}

/** Loads a version, unless it has more than `room` bytes. */
type Load<Item> = (item: Item, room: number) => Version | undefined;

const fitted = (row: FittingRow, room: number): Version | undefined => {
  // A body that is packed is smaller than its text.
  const version = row.body === null ? undefined : versionOf({ ...row, body: row.body });
  return version === undefined || version.text.length > room ? undefined : version;
};

export const openFittingVersions = (connection: Connection) => {
  const current = connection.prepare<[number, number], FittingRow>(
    `SELECT ${COLUMNS} FROM resource r JOIN resource v ON v.rid = r.rid JOIN symbol s ON s.id = r.type WHERE r.rid = ?`,
  );
  const currentAt = connection.prepare<[number, number, number], FittingRow>(
    `SELECT ${COLUMNS} FROM resource r JOIN resource v ON v.rid = r.rid JOIN symbol s ON s.id = r.type WHERE r.rid = ? AND r.version = ?`,
  );
  const superseded = connection.prepare<[number, number, number], FittingRow>(
    `SELECT ${COLUMNS} FROM history v JOIN resource r ON r.rid = v.rid JOIN symbol s ON s.id = r.type WHERE v.rid = ? AND v.version = ?`,
  );
  return {
    currentOf: ({ rid }: Pick<Made, 'rid'>, room: number): Version | undefined =>
      fitted(current.get(room, rid) as FittingRow, room),
    versionAt: ({ rid, version }: Made, room: number): Version | undefined =>
      fitted((currentAt.get(room, rid, version) ?? superseded.get(room, rid, version)) as FittingRow, room),
  };
};

/** As many as fit into `bytes`, but at least `least`. */
export const fittingVersions = <Item>(
  items: readonly Item[],
  bytes: number | undefined,
  least: 0 | 1,
  load: Load<Item>,
): Fitting<Item> => {
  const versions: Version[] = [];
  let room = bytes ?? Number.POSITIVE_INFINITY;
  for (const item of items) {
    const version = load(item, versions.length < least ? Number.POSITIVE_INFINITY : room);
    if (version === undefined) {
      const last = items[versions.length - 1];
      return { versions, isCut: true, ...(last === undefined ? {} : { last }) };
    }
    versions.push(version);
    room -= version.text.length;
  }
  return { versions, isCut: false };
};
