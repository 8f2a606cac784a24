import type { Commands } from './commands.ts';

/** There are 148 types of resources in R4, and some that only tests know. */
const TYPE_LIMIT = 1000;

/** All types of which something is or was stored: an index has each in one place, and the database skips to the next. */
export const storedTypes = async (commands: Commands): Promise<string[]> => {
  const found = await commands.aggregate<{ _id: string }>('resolve', {
    pipeline: [{ $group: { _id: '$type' } }],
    hint: 'rid_1',
    limit: TYPE_LIMIT,
  });
  return found.map(({ _id }) => _id);
};
