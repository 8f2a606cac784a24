/** All operations of the server, for the dispatch and for the CapabilityStatement. */
import {
  ADMINISTRATION,
  operating,
  reading,
  type ScopedRule,
  searching,
  WHOLE_STORE,
  writing,
} from '../access/access-rule.ts';
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

/** The answer has all of `meta`. */
const CHANGED_META: ScopedRule = { ...writing('r', 'u'), reads: ['r'] };

const DOCUMENT: ScopedRule = { ...operating('r'), searches: ['r'] };

export const OPERATIONS: readonly Operation[] = [
  {
    name: 'everything',
    types: ['Patient'],
    levels: ['type', 'instance'],
    access: { type: operating('s'), instance: operating('r') },
    methods: BOTH,
    isAllOfBase: true,
    run: everything,
  },
  {
    name: 'docref',
    types: ['DocumentReference'],
    levels: ['type'],
    access: { type: searching('s') },
    methods: BOTH,
    isAllOfBase: true,
    run: docref,
  },
  {
    name: 'lastn',
    types: ['Observation'],
    levels: ['type'],
    access: { type: searching('s') },
    methods: BOTH,
    isAllOfBase: true,
    run: lastn,
  },
  {
    name: 'explain',
    levels: ['system', 'type'],
    access: { system: WHOLE_STORE, type: WHOLE_STORE },
    methods: BOTH,
    run: explain,
  },
  {
    name: 'validate',
    levels: ['type', 'instance'],
    access: { type: operating(), instance: operating('r') },
    methods: BOTH,
    run: validate,
  },
  {
    name: 'meta',
    levels: ['system', 'type', 'instance'],
    access: { system: searching(), type: searching('s'), instance: reading('r') },
    methods: BOTH,
    isAllOfBase: true,
    run: meta,
  },
  {
    name: 'meta-add',
    levels: ['instance'],
    access: { instance: CHANGED_META },
    methods: ['POST'],
    isAllOfBase: true,
    run: metaAdd,
  },
  {
    name: 'meta-delete',
    levels: ['instance'],
    access: { instance: CHANGED_META },
    methods: ['POST'],
    isAllOfBase: true,
    run: metaDelete,
  },
  {
    name: 'document',
    types: ['Composition'],
    levels: ['type', 'instance'],
    // Its parts are read, whatever finds them.
    access: { type: DOCUMENT, instance: DOCUMENT },
    methods: BOTH,
    run: document,
  },
  {
    name: 'reindex',
    types: ['SearchParameter'],
    levels: ['system', 'instance'],
    access: { system: ADMINISTRATION, instance: ADMINISTRATION },
    methods: BOTH,
    run: reindex,
  },
];
