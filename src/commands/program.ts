/** The commands of an operator. `npx consilium --help` lists them. */
import { Command } from 'commander';
import { runCommand } from '../operator-errors.ts';
import { serve } from '../serve.ts';
import { copyCommand } from './copy.ts';
import { registerCommands } from './register-commands.ts';
import { shardCommand } from './shard.ts';

/** Runs the command that the arguments of the process name; without one it serves. */
export const runProgram = async (): Promise<void> => {
  const program = new Command('consilium')
    .description('A FHIR R4 server for medical second opinions. The environment configures it, as README lists.')
    .showHelpAfterError('Add --help for the options.');

  program
    .command('serve', { isDefault: true })
    .description('serve until SIGTERM or Ctrl-C')
    .action(() => runCommand(serve));

  program
    .command('copy')
    .description('copy a store with all versions into an empty one, or go on with a copy that was cut off')
    .requiredOption('--from <store>', 'sqlite:FOLDER or mongodb://HOST/DATABASE')
    .requiredOption('--to <store>', 'likewise')
    .addHelpText(
      'after',
      '\nNo server may write to either meanwhile. The key of CONSILIUM_STORE_KEY or CONSILIUM_STORE_KEY_FILE is that of both.',
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

  await program.parseAsync();
};
