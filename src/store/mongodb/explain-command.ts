/**
 * What the database itself says of a command: which indexes it reads, and how many documents.
 *
 * @see https://www.mongodb.com/docs/manual/reference/explain-results/
 */
import { type Document, MongoServerError } from 'mongodb';
import type { Ran } from './commands.ts';
import type { SearchContext } from './context.ts';

export interface CommandPlan {
  /** A line a stage, indented below the one that it feeds. */
  readonly lines: readonly string[];
  readonly documentsExamined: number;
}

/** Where stages have their inputs: those of replica sets, of routers, and of the newer engine. */
const INPUTS = ['inputStage', 'inputStages', 'innerStage', 'outerStage', 'queryPlan', 'shards', 'winningPlan'] as const;

const asList = (value: unknown): Document[] => {
  if (Array.isArray(value)) return value as Document[];
  return typeof value === 'object' && value !== null ? [value as Document] : [];
};

const stageLines = (node: Document, depth: number): string[] => {
  const { stage, indexName } = node;
  const isStage = typeof stage === 'string';
  const own = isStage ? [`${'  '.repeat(depth)}${[stage, indexName].filter(Boolean).join(' ')}`] : [];
  return [
    ...own,
    ...INPUTS.flatMap((name) => asList(node[name])).flatMap((input) => stageLines(input, depth + (isStage ? 1 : 0))),
  ];
};

/** The values called `name`, wherever in a reply, but not below each other. */
const named = (name: string, value: unknown): Document[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => (key === name ? asList(child) : named(name, child)));
};

const reply = ({ command }: Ran, { resources, history, searchLimits }: SearchContext): Promise<Document> => {
  const collection = (command.collection === 'history' ? history : resources) as unknown as typeof resources;
  const hint = command.hint === undefined ? {} : { hint: command.hint };
  const options = { maxTimeMS: searchLimits.milliseconds, ...hint };
  if (command.kind === 'aggregate')
    return collection.aggregate([...command.pipeline], options).explain('executionStats');
  const { filter, projection, sort, limit } = command;
  const cursor = collection.find(filter, { ...options, projection, limit, ...(sort === undefined ? {} : { sort }) });
  return cursor.explain('executionStats');
};

/** Runs the command again, for its plan. */
export const commandPlan = async (ran: Ran, context: SearchContext): Promise<CommandPlan> => {
  try {
    const explained = await reply(ran, context);
    return {
      lines: named('winningPlan', explained).flatMap((plan) => stageLines(plan, 1)),
      documentsExamined: named('executionStats', explained).reduce(
        (sum, { totalDocsExamined }) => sum + Number(totalDocsExamined ?? 0),
        0,
      ),
    };
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error;
    return { lines: ['  (the database does not explain it)'], documentsExamined: 0 };
  }
};
