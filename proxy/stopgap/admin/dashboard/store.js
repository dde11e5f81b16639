// Which events does this page know? All that the gate remembers, fetched once and then as they come.

import { get } from "./api.js";

const MOST = 100000;
const FIRST = 1000;
const OLDER = 5000;

/** Places in a row. */
export const ID = 0,
  TIME = 1,
  ACTION = 2,
  SITE = 3,
  RULE = 4,
  REASON = 5,
  TIER = 6,
  CLIENT = 7,
  METHOD = 8,
  HOST = 9,
  TARGET = 10,
  STATUS = 11,
  MODE = 12,
  COUNT = 13;

/** `rows` are oldest first; `begin` is the number of the first. */
export const store = { rows: [], begin: 0, next: null, first: 0, complete: false };

/** Fetch what is new; says how many rows came, or that all is `anew`. */
export async function newer() {
  if (store.next === null) return anew();
  let came = 0;
  for (;;) {
    const told = await get(`rows?after=${store.next}&limit=${OLDER}`);
    if (told.next < store.next || told.begin > store.next) return anew(); // another gate, or a gap
    store.rows.push(...told.rows);
    came += told.rows.length;
    store.next = told.begin + told.rows.length;
    store.first = told.first;
    if (store.next >= told.next) break;
  }
  const over = Math.max(store.rows.length - MOST, store.first - store.begin, 0);
  if (over > MOST / 20) {
    store.rows.splice(0, over);
    store.begin += over;
  }
  return { came, anew: false };
}

/** Fetch some that are older; says how many came. */
export async function older() {
  if (store.complete || store.next === null) return 0;
  const { begin } = store;
  const told = await get(`rows?before=${begin}&limit=${OLDER}`);
  if (store.begin !== begin) return 0; // all was fetched anew meanwhile
  if (told.begin + told.rows.length !== begin || store.rows.length >= MOST || !told.rows.length) {
    store.complete = true;
    return 0;
  }
  store.rows = told.rows.concat(store.rows);
  store.begin = told.begin;
  store.complete = told.begin <= told.first;
  return told.rows.length;
}

async function anew() {
  const told = await get(`rows?limit=${FIRST}`);
  Object.assign(store, {
    rows: told.rows,
    begin: told.begin,
    next: told.begin + told.rows.length,
    first: told.first,
  });
  store.complete = told.begin <= told.first;
  return { came: told.rows.length, anew: true };
}
