/** `npx consilium users`: the people who may sign in. */
import { createPasswords } from '../auth/users/passwords.ts';
import type { Role, User } from '../auth/users/user.ts';
import { createUsers, UserRefused, type Users } from '../auth/users/users.ts';
import { ConfigurationError } from '../config.ts';
import type { Store } from '../store/store.ts';
import { print, printJson, table } from './printed.ts';
import { type StoreState, withStore } from './records-of-store.ts';

/** Longer passwords are refused anyway. */
const STANDARD_INPUT_BYTES = 10_000;

/** The first line of the standard input. Throws ConfigurationError. */
const passwordFromInput = async (): Promise<string> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    // At a terminal there is no end, but a line.
    if (length > STANDARD_INPUT_BYTES || (chunk as Buffer).includes('\n')) break;
  }
  const [password = ''] = Buffer.concat(chunks).toString('utf8').split(/\r?\n/);
  if (password === '') throw new ConfigurationError('--password-stdin: the standard input has no password');
  return password;
};

const isThere = async (store: Store, reference: string): Promise<boolean> => {
  const [type = '', id = ''] = reference.split('/');
  const found = await store.read({ type, id });
  return found !== undefined && !found.isDeleted;
};

const withUsers = <T>(state: StoreState, command: (users: Users, store: Store) => Promise<T>): Promise<T> =>
  withStore(state, async (store) => {
    const users = createUsers({
      records: store.records,
      passwords: createPasswords(1),
      now: Date.now,
      // Somebody may be registered before the hospital pushes the resource; `add` says so.
      isThere: async () => true,
    });
    try {
      return await command(users, store);
    } catch (error) {
      if (error instanceof UserRefused) throw new ConfigurationError(error.message);
      throw error;
    }
  });

const shown = ({ id, login, fhirUser, role, reach, isDisabled }: User) => ({
  id,
  login,
  fhir_user: fhirUser,
  role,
  reach,
  disabled: isDisabled,
});

interface Shape {
  readonly json?: boolean;
}

const printUser = (user: User, { json }: Shape, text: string): void => (json ? printJson(shown(user)) : print(text));

export interface AddUserOptions extends Shape {
  readonly login: string;
  readonly fhirUser: string;
  readonly role: Role;
  readonly reach: User['reach'];
  readonly passwordStdin?: boolean;
  readonly secondFactor: boolean;
}

export const addUser = async (options: AddUserOptions): Promise<void> => {
  const { login, fhirUser, role, reach, passwordStdin, secondFactor } = options;
  const password = passwordStdin ? await passwordFromInput() : undefined;
  await withUsers('new or there', async (users, store) => {
    const user = await users.add({
      ...{ login, fhirUser, role, reach },
      ...(password === undefined ? {} : { password }),
      ...(secondFactor ? {} : { needsSecondFactor: false }),
    });
    if (!(await isThere(store, fhirUser)))
      process.stderr.write(`There is no ${fhirUser} yet: until it is there, ${user.login} reaches nothing\n`);
    printUser(user, options, `Added ${user.login}, ${role}, as ${fhirUser}`);
  });
};

export const listUsers = ({ json }: Shape): Promise<void> =>
  withUsers('there', async (users) => {
    const all = await users.list();
    if (json) return printJson(all.map(shown));
    const rows = all.map(({ login, role, fhirUser, reach, isDisabled }) => [
      login,
      role,
      fhirUser,
      reach,
      isDisabled ? 'disabled' : '',
    ]);
    print(table([['LOGIN', 'ROLE', 'FHIR USER', 'REACH', ''], ...rows]));
  });

export const resetUser = async (options: Shape & { login: string; passwordStdin?: boolean }): Promise<void> => {
  if (!options.passwordStdin) throw new ConfigurationError('users reset: give the new password with --password-stdin');
  const password = await passwordFromInput();
  await withUsers('there', async (users) => {
    const user = await users.reset(options.login, password);
    printUser(user, options, `${user.login} has a new password; sessions and approvals from before are ended`);
  });
};

export const disableUser = (options: Shape & { login: string; undo?: boolean }): Promise<void> =>
  withUsers('there', async (users) => {
    const user = await users.disable(options.login, options.undo !== true);
    const text = user.isDisabled ? 'can no longer sign in; sessions and approvals are ended' : 'can sign in again';
    printUser(user, options, `${user.login} ${text}`);
  });
