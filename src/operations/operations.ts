/** All operations of the server, for the dispatch and for the CapabilityStatement. */
import type { Operation } from '../interactions/route.ts';
import { docref } from './docref.ts';
import { document } from './document.ts';
import { everything } from './everything.ts';
import { explain } from './explain.ts';
import { lastn } from './lastn.ts';
import { meta } from './meta.ts';
import { metaAdd } from './meta-add.ts';
import { metaDelete } from './meta-delete.ts';
import { reindex } from './reindex.ts';
import { validate } from './validate.ts';

const BOTH = ['GET', 'POST'] as const;

export const OPERATIONS: readonly Operation[] = [
  {
    name: 'everything',
    types: ['Patient'],
    levels: ['type', 'instance'],
    methods: BOTH,
    isAllOfBase: true,
    run: everything,
  },
  {
    name: 'docref',
    types: ['DocumentReference'],
    levels: ['type'],
    methods: BOTH,
    isAllOfBase: true,
    run: docref,
  },
  { name: 'lastn', types: ['Observation'], levels: ['type'], methods: BOTH, isAllOfBase: true, run: lastn },
  { name: 'explain', levels: ['system', 'type'], methods: BOTH, run: explain },
  { name: 'validate', levels: ['type', 'instance'], methods: BOTH, run: validate },
  { name: 'meta', levels: ['system', 'type', 'instance'], methods: BOTH, isAllOfBase: true, run: meta },
  { name: 'meta-add', levels: ['instance'], methods: ['POST'], isAllOfBase: true, run: metaAdd },
  { name: 'meta-delete', levels: ['instance'], methods: ['POST'], isAllOfBase: true, run: metaDelete },
  { name: 'document', types: ['Composition'], levels: ['type', 'instance'], methods: BOTH, run: document },
  { name: 'reindex', types: ['SearchParameter'], levels: ['system', 'instance'], methods: BOTH, run: reindex },
];
