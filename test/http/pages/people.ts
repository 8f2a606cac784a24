/** Who visits the pages: a patient, and a doctor without a second factor. */
import type { Test } from 'tap';
import type { ShownPage } from '../../auth/test-browser.ts';
import { PASSWORD, type PeopleServer, startPeopleServer } from '../../auth/test-people.ts';

export const start = async (t: Test): Promise<PeopleServer> => {
  const server = await startPeopleServer(t);
  await server.addApp();
  await server.addUser('ada', 'Patient/ada', 'patient');
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor', false);
  return server;
};

export const signIn = (page: ShownPage, login = 'ada'): Promise<ShownPage> =>
  page.submit('/auth/sign-in', { login, password: PASSWORD });
