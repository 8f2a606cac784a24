/** The commands of an operator. `npx consilium --help` lists them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand, surviveClosedOutput } from '../operator-errors.ts';
import { serve } from '../serve.ts';
import { copyCommand } from './copy.ts';
import { registerCommands } from './register-commands.ts';
import { shardCommand } from './shard.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as {
  version: string;
};

/** Runs the command that the arguments of the process name; without one it serves. */
export const runProgram = async (): Promise<void> => {
  surviveClosedOutput();
  const program = new Command('consilium')
    .description('A FHIR R4 server for medical second opinions. The environment configures it, as README lists.')
    .version(version)
    .showHelpAfterError('Add --help for the options.');

  program
    .command('serve')
    .description('serve until SIGTERM or Ctrl-C; so does no command at all')
    .action(() => runCommand(serve));

  program
    .command('copy')
    .description('copy a store with all versions into an empty one, or go on with a copy that was cut off')
    .requiredOption('--from <store>', 'sqlite:FOLDER or mongodb://HOST/DATABASE')
    .requiredOption('--to <store>', 'likewise')
    .addHelpText(
      'after',
      '\nNo server or command may write to either meanwhile. Both stores have the same key: that of CONSILIUM_STORE_KEY or\n' +
        'CONSILIUM_STORE_KEY_FILE; with neither, the file store.key in FOLDER of --from, or of --to if --from is a MongoDB.\n' +
        'A key from such a file is written beside a new sqlite store, too.',
    )
    .action((options: { from: string; to: string }) => runCommand(() => copyCommand(options)));

  program
    .command('mongodb')
    .description('the MongoDB that CONSILIUM_STORE names')
    .command('shard')
    .description('print the commands that distribute the collections over the shards of a cluster')
    .option('--apply', 'run them')
    .action((options: { apply?: boolean }) => runCommand(() => shardCommand(options.apply ?? false)));

  registerCommands(program);

  // No default command of commander's: that would take a mistyped one for an argument of its own.
  const words = process.argv.slice(2);
  await program.parseAsync(words.length === 0 ? ['serve'] : words, { from: 'user' });
};
