/** All operations of the server, for the dispatch and for the CapabilityStatement. */
import type { Operation } from '../interactions/route.ts';
import { docref } from './docref.ts';
import { document } from './document.ts';
import { everything } from './everything.ts';
import { lastn } from './lastn.ts';
import { meta } from './meta.ts';
import { metaAdd } from './meta-add.ts';
import { metaDelete } from './meta-delete.ts';
import { validate } from './validate.ts';

const BOTH = ['GET', 'POST'] as const;

export const OPERATIONS: readonly Operation[] = [
  { name: 'everything', types: ['Patient'], levels: ['type', 'instance'], methods: BOTH, run: everything },
  { name: 'docref', types: ['DocumentReference'], levels: ['type'], methods: BOTH, run: docref },
  { name: 'lastn', types: ['Observation'], levels: ['type'], methods: BOTH, run: lastn },
  { name: 'validate', levels: ['type', 'instance'], methods: BOTH, run: validate },
  { name: 'meta', levels: ['type', 'instance'], methods: BOTH, run: meta },
  { name: 'meta-add', levels: ['instance'], methods: ['POST'], run: metaAdd },
  { name: 'meta-delete', levels: ['instance'], methods: ['POST'], run: metaDelete },
  { name: 'document', types: ['Composition'], levels: ['type', 'instance'], methods: BOTH, run: document },
];
