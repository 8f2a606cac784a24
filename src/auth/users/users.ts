/**
 * Users in records: `user/[id]`, `login/[login]` with the user's id, `fhir-user/[reference]/[id]`, and
 * `credentials/[id]`. An operator's commands and the pages use them.
 */
import { randomBytes } from 'node:crypto';
import type { Records } from '../../store/store.ts';
import { changedRecord } from './changed-record.ts';
import { type Credentials, credentialsKey } from './credentials.ts';
import { LONGEST_PASSWORD, type Passwords, passwordProblem, SHORTEST_PASSWORD } from './passwords.ts';
import type { Role, User } from './user.ts';

/** What an operator asked for cannot be done; the message is a sentence for them. */
export class UserRefused extends Error {
  override readonly name = 'UserRefused';
}

interface NewUser {
  readonly login: string;
  /** `Practitioner/[id]` and so on; the resource must be there. */
  readonly fhirUser: string;
  readonly role: Role;
  /** Without one the user can sign in through a provider only. */
  readonly password?: string;
  readonly reach?: User['reach'];
  /** By default as the role asks. */
  readonly needsSecondFactor?: boolean;
}

export interface Users {
  /** Throws UserRefused. */
  add(user: NewUser): Promise<User>;
  /** All, in the order of their logins. */
  list(): Promise<readonly User[]>;
  find(id: string): Promise<User | undefined>;
  findByLogin(login: string): Promise<User | undefined>;
  /** Those who are this resource (`Practitioner/[id]`). */
  findByFhirUser(reference: string): Promise<readonly User[]>;
  /** A new password. The second factor is enrolled anew, and sessions and grants end. Throws UserRefused. */
  reset(login: string, password: string): Promise<User>;
  /** Sessions and grants end; with `false` the user can sign in again. Throws UserRefused. */
  disable(login: string, isDisabled?: boolean): Promise<User>;
  /** Changes a user who is there; answers how the user is then. */
  change(id: string, changed: Partial<Pick<User, 'isDisabled' | 'validFrom' | 'reach'>>): Promise<User | undefined>;
  credentials(id: string): Promise<Credentials | undefined>;
  /** As `changedRecord`; answers whether `change` gave anything. */
  changeCredentials(id: string, change: (current: Credentials) => Credentials | undefined): Promise<boolean>;
}

const PRACTITIONER = ['Practitioner', 'PractitionerRole'];

/** What a person of a role can be. */
const FHIR_USER_TYPES: Readonly<Record<Role, readonly string[]>> = {
  'case-manager': PRACTITIONER,
  expert: PRACTITIONER,
  'referring-doctor': PRACTITIONER,
  'privacy-officer': PRACTITIONER,
  operator: PRACTITIONER,
  patient: ['Patient'],
  representative: ['RelatedPerson'],
};

/** Roles of people who see records of others. */
export const isStaff = (role: Role): boolean => FHIR_USER_TYPES[role] === PRACTITIONER;

/** What is typed and what is kept is one text. */
export const normalizedLogin = (login: string): string => login.normalize('NFKC').trim().toLowerCase();

const LOGIN = /^[\p{L}\p{N}._@+-]{2,100}$/u;

const REASONS = {
  'too-short': `has fewer than ${SHORTEST_PASSWORD} characters`,
  'too-long': `has more than ${LONGEST_PASSWORD} characters`,
  'too-simple': 'is the login, or has fewer than five different characters',
};

const checkPassword = (password: string, login: string): void => {
  const problem = passwordProblem(password, login);
  if (problem !== undefined) throw new UserRefused(`The password ${REASONS[problem]}`);
};

/** @see https://hl7.org/fhir/R4/datatypes.html#id */
const REFERENCE = /^([A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}$/;

const checkUser = ({ login, fhirUser, role, password, reach }: NewUser): void => {
  if (!LOGIN.test(login))
    throw new UserRefused(`The login '${login}' must have 2 to 100 letters, digits or characters of ._@+-`);
  const [, type = ''] = REFERENCE.exec(fhirUser) ?? [];
  const types = FHIR_USER_TYPES[role];
  if (!types.includes(type))
    throw new UserRefused(`A ${role} is a ${types.join(' or a ')}, such as ${types[0]}/123, and not '${fhirUser}'`);
  if (reach === 'all' && !isStaff(role))
    throw new UserRefused(`A ${role} reaches the own record; only staff can reach all`);
  if (password !== undefined) checkPassword(password, login);
};

export interface UsersParts {
  readonly records: Records;
  readonly passwords: Passwords;
  now(): number;
  /** Whether the resource (`Practitioner/[id]`) is there. */
  isThere(reference: string): Promise<boolean>;
  /** Called with the key of a record that was changed. */
  changed?(key: string): void;
}

const PAGE = 500;
const ID_BYTES = 16;

const userKey = (id: string): string => `user/${id}`;
const loginKey = (login: string): string => `login/${login}`;

type Reading = Pick<Users, 'list' | 'find' | 'findByLogin' | 'findByFhirUser' | 'credentials'>;

const createReading = (records: Records): Reading => {
  const parsed = async <T>(key: string): Promise<T | undefined> => {
    const record = await records.get(key);
    return record === undefined ? undefined : (JSON.parse(record.value) as T);
  };
  const find = (id: string): Promise<User | undefined> => parsed<User>(userKey(id));

  const all = async <T>(prefix: string): Promise<T[]> => {
    const found: T[] = [];
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page = await records.list(prefix, PAGE, after);
      found.push(...page.map(({ value }) => JSON.parse(value) as T));
      after = page.length < PAGE ? undefined : page.at(-1)?.key;
    }
    return found;
  };

  return {
    find,
    findByLogin: async (login) => {
      const normalized = normalizedLogin(login);
      if (!LOGIN.test(normalized)) return undefined;
      const id = await parsed<string>(loginKey(normalized));
      return id === undefined ? undefined : find(id);
    },
    findByFhirUser: async (reference) => {
      const users = await Promise.all((await all<string>(`fhir-user/${reference}/`)).map(find));
      return users.filter((user) => user !== undefined);
    },
    list: async () => (await all<User>('user/')).sort((one, other) => (one.login < other.login ? -1 : 1)),
    credentials: (id) => parsed<Credentials>(credentialsKey(id)),
  };
};

/** Writes a new user. The login comes last but for what needs the user: of two who want it, one gets it. */
const added = async ({ records, passwords, now, isThere }: UsersParts, given: NewUser): Promise<User> => {
  const login = normalizedLogin(given.login);
  const { fhirUser, role, password, reach = 'source', needsSecondFactor = isStaff(role) } = given;
  checkUser({ ...given, login });
  if (!(await isThere(fhirUser))) throw new UserRefused(`There is no ${fhirUser}`);
  const id = randomBytes(ID_BYTES).toString('base64url');
  const user: User = { id, login, fhirUser, role, reach, validFrom: now(), isDisabled: false };
  const hash = password === undefined ? {} : { password: await passwords.hashed(password) };
  const credentials: Credentials = { ...hash, needsSecondFactor };
  await records.put(credentialsKey(id), JSON.stringify(credentials));
  await records.put(userKey(id), JSON.stringify(user));
  if ((await records.put(loginKey(login), JSON.stringify(id), { revision: 0 })) === undefined) {
    await records.delete(userKey(id));
    await records.delete(credentialsKey(id));
    throw new UserRefused(`The login '${login}' is taken`);
  }
  await records.put(`fhir-user/${fhirUser}/${id}`, JSON.stringify(id));
  return user;
};

export const createUsers = (parts: UsersParts): Users => {
  const { records, passwords, now, changed = () => undefined } = parts;
  const reading = createReading(records);
  const known = async (login: string): Promise<User> => {
    const user = await reading.findByLogin(login);
    if (user === undefined) throw new UserRefused(`There is no user with the login '${login}'`);
    return user;
  };

  const change: Users['change'] = async (id, values) => {
    await changedRecord<User>(records, userKey(id), (user) => user && { value: { ...user, ...values } });
    changed(userKey(id));
    return reading.find(id);
  };

  const changeCredentials: Users['changeCredentials'] = async (id, changedTo) => {
    let isChanged = false;
    await changedRecord<Credentials>(records, credentialsKey(id), (current) => {
      const value = current && changedTo(current);
      isChanged = value !== undefined;
      return value && { value };
    });
    return isChanged;
  };

  return {
    ...reading,
    add: (given) => added(parts, given),
    reset: async (login, password) => {
      const user = await known(login);
      checkPassword(password, user.login);
      const hash = await passwords.hashed(password);
      await changeCredentials(user.id, ({ needsSecondFactor }) => ({ password: hash, needsSecondFactor }));
      return (await change(user.id, { validFrom: now() + 1 })) ?? user;
    },
    disable: async (login, isDisabled = true) => {
      const user = await known(login);
      return (await change(user.id, { isDisabled, validFrom: now() + 1 })) ?? user;
    },
    change,
    changeCredentials,
  };
};
