/** The commands about clients, users and keys, with their options. */
import { type Command, Option } from 'commander';
import { CLIENT_KINDS, PURPOSES } from '../auth/clients/client.ts';
import { ROLES } from '../auth/users/user.ts';
import { fhirBaseIn } from '../config.ts';
import { runCommand } from '../operator-errors.ts';
import { requestToken } from './backend-token.ts';
import {
  type AddClientOptions,
  addClient,
  disable,
  listAllClients,
  makeKey,
  rotateClientSecret,
  rotateSigningKey,
  showClient,
} from './clients.ts';
import { print } from './printed.ts';
import { type AddUserOptions, addUser, disableUser, listUsers, resetUser } from './users.ts';

const JSON_FLAG = ['--json', 'print JSON'] as const;
const REACH = (): Option =>
  new Option('--reach <reach>', 'what may be reached: what the organization pushed, or all')
    .choices(['source', 'all'])
    .default('source');

const clientCommands = (program: Command): void => {
  const clients = program.command('clients').description('the apps and systems that may ask for tokens');
  clients
    .command('add')
    .description('register a client; prints its client_id, and its client_secret once')
    .requiredOption('--name <name>', 'as people see it')
    .addOption(new Option('--kind <kind>').choices(CLIENT_KINDS).makeOptionMandatory())
    .requiredOption('--scope <scopes>', 'the most that it may be granted, separated by spaces')
    .option('--redirect <uri...>', 'where an app gets its code')
    .option('--launch <uri...>', 'where an EHR opens the app')
    .option('--jwks <file>', 'its public keys, a JWK set')
    .option('--jwks-url <url>', 'where its public keys are')
    .option('--organization <reference>', 'the Organization that it acts for, such as Organization/123')
    .requiredOption('--purpose <code>', `why it reads records: ${PURPOSES.join(', ')}`)
    .addOption(REACH())
    .option('--logo <url>', 'shown to people who are asked to approve')
    .option('--id <client_id>', 'a client_id of your own choice')
    .option(...JSON_FLAG)
    .action((options: AddClientOptions) => runCommand(() => addClient(options)));
  clients
    .command('list')
    .option(...JSON_FLAG)
    .action((options) => runCommand(() => listAllClients(options)));
  clients
    .command('show')
    .argument('<client_id>')
    .option(...JSON_FLAG)
    .action((id: string) => runCommand(() => showClient(id)));
  clients
    .command('rotate')
    .description('a new secret for a confidential-symmetric client')
    .argument('<client_id>')
    .option(...JSON_FLAG)
    .action((id: string, options) => runCommand(() => rotateClientSecret(id, options)));
  clients
    .command('disable')
    .description('end all use of a client')
    .argument('<client_id>')
    .option('--undo', 'let it be used again')
    .option(...JSON_FLAG)
    .action((id: string, options) => runCommand(() => disable(id, options)));
  clients
    .command('key')
    .description('make a key for a backend client or a confidential-asymmetric app')
    .requiredOption('--private <file>', 'where the private key goes')
    .requiredOption('--jwks <file>', 'where the public key goes, as a JWK set')
    .action((files: { private: string; jwks: string }) => runCommand(() => makeKey(files)));
};

const userCommands = (program: Command): void => {
  const users = program.command('users').description('the people who may sign in');
  users
    .command('add')
    .description('register somebody')
    .requiredOption('--login <name>')
    .requiredOption(
      '--fhir-user <reference>',
      'who it is: Practitioner/1, PractitionerRole/1, Patient/1 or RelatedPerson/1',
    )
    .addOption(new Option('--role <role>').choices(ROLES).makeOptionMandatory())
    .option(
      '--password-stdin',
      'read the password from the standard input; without it, only a hospital can vouch for the user',
    )
    .option('--no-second-factor', 'sign in with the password alone; otherwise staff needs a second factor')
    .addOption(REACH())
    .option(...JSON_FLAG)
    .action((options: AddUserOptions) => runCommand(() => addUser(options)));
  users
    .command('list')
    .option(...JSON_FLAG)
    .action((options) => runCommand(() => listUsers(options)));
  users
    .command('reset')
    .description('a new password; the second factor is enrolled anew, sessions and approvals end')
    .requiredOption('--login <name>')
    .option('--password-stdin', 'read the new password from the standard input')
    .option(...JSON_FLAG)
    .action((options) => runCommand(() => resetUser(options)));
  users
    .command('disable')
    .description('end all use of an account')
    .requiredOption('--login <name>')
    .option('--undo', 'let the user sign in again')
    .option(...JSON_FLAG)
    .action((options) => runCommand(() => disableUser(options)));
};

const tokenCommands = (program: Command): void => {
  program
    .command('token')
    .description('print an access token of a backend client, good for five minutes')
    .requiredOption('--client <client_id>')
    .requiredOption('--key <file>', 'its private key: a JWK, a JWK set or PEM')
    .option('--base <url>', 'the FHIR base (default: that of the server with this environment)')
    .option('--scope <scopes>', 'what to ask for', 'system/*.cruds')
    .action((options: { client: string; key: string; base?: string; scope: string }) =>
      runCommand(async () =>
        print((await requestToken({ ...options, base: options.base ?? fhirBaseIn() })).accessToken),
      ),
    );
  program
    .command('keys')
    .description("the server's own keys")
    .command('rotate')
    .description('give the key that signs id tokens a successor')
    .action(() => runCommand(rotateSigningKey));
};

export const registerCommands = (program: Command): void => {
  clientCommands(program);
  userCommands(program);
  tokenCommands(program);
};
