// Does the worker's work for batches of ten notifications, with the official
// SDK and pg: the same statements in the same two transactions, the same reads
// between them, the same comparison. Prints how many charge permissions changed,
// the CPU time, and the CPU time of the signatures alone.
// Standard input: a JSON object with the modules' folder, the SDK's settings, the
// database's URL, the folder of the statements, the account, and the ids.
'use strict';
const fs = require('fs');
const path = require('path');
const { randomUUID, sign, constants } = require('crypto');
const { isDeepStrictEqual } = require('util');
const { modules, settings, database, statements, account, ids, warm } = JSON.parse(fs.readFileSync(0, 'utf8'));
const { WebStoreClient } = require(path.join(modules, '@amazonpay', 'amazon-pay-api-sdk-nodejs'));
const { Client } = require(path.join(modules, 'pg'));

settings.privateKey = fs.readFileSync(settings.privateKeyFile);
delete settings.privateKeyFile;
const api = new WebStoreClient(settings);
const db = new Client({ connectionString: database });

// Prepared once, as pg does for statements with a name.
const text = (name) => fs.readFileSync(path.join(statements, `${name}.sql`), 'utf8');
const sql = Object.fromEntries(['inbox', 'lock', 'want', 'claim', 'claimed', 'wake', 'fence', 'commit'].map((name) => [name, { name, text: text(name) }]));
const run = (name, ...values) => db.query({ ...sql[name], values, rowMode: 'array' });
const margin = 5;

async function transaction(f) {
  await db.query('begin');
  const out = await f();
  await db.query('commit');
  return out;
}

const time = (s) => s && s.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');

const address = (a) => (a ? {
  name: a.name, line1: a.addressLine1, line2: a.addressLine2, line3: a.addressLine3, city: a.city, county: a.county, district: a.district,
  state_or_region: a.stateOrRegion, postal_code: a.postalCode, country_code: a.countryCode, phone: a.phoneNumber,
} : {});

const stateOf = (p) => ({
  id: p.chargePermissionId, type: p.chargePermissionType, release_environment: p.releaseEnvironment,
  state: p.statusDetails.state, reasons: (p.statusDetails.reasons ?? []).map((r) => ({ code: r.reasonCode, description: r.reasonDescription })),
  state_updated_at: time(p.statusDetails.lastUpdatedTimestamp),
  buyer_id: p.buyer?.buyerId, buyer_name: p.buyer?.name, buyer_email: p.buyer?.email, buyer_phone: p.buyer?.phoneNumber,
  payment_descriptors: (p.paymentPreferences ?? []).map((m) => m.paymentDescriptor).filter(Boolean),
  shipping: address(p.shippingAddress), billing: address(p.billingAddress),
  limit_amount: p.limits?.amountLimit?.amount, balance_amount: p.limits?.amountBalance?.amount, limit_currency: p.limits?.amountLimit?.currencyCode,
  created_at: time(p.creationTimestamp), expires_at: time(p.expirationTimestamp),
});

const plain = (o) => Object.fromEntries(Object.entries(o ?? {}).filter(([, v]) => v != null));

const facets = (s) => ({
  address: plain(s.shipping), payment_method: { descriptors: s.payment_descriptors }, state: { state: s.state, reasons: s.reasons.map((r) => r.code) },
  buyer: plain({ id: s.buyer_id, name: s.buyer_name, email: s.buyer_email, phone: s.buyer_phone }), billing_address: plain(s.billing),
  limit: plain({ amount: s.limit_amount, currency: s.limit_currency }), expiry: { at: s.expires_at && Date.parse(s.expires_at) },
});

function changes(before, after) {
  const was = facets(before);
  return Object.entries(facets(after)).filter(([facet, is]) => !isDeepStrictEqual(was[facet], is))
    .map(([facet, is]) => ({ facet, before: was[facet], after: is }));
}

async function batch(ids) {
  const lease = randomUUID();
  const published = new Date(Date.now() - 60000).toISOString();
  const of = (v) => ids.map(() => v);
  const messages = ids.map(() => randomUUID());
  const claims = await transaction(async () => {
    await run('inbox', messages, of(account), messages, of('CHARGE_PERMISSION'), ids, ids, of('ATTRIBUTE_CHANGE'), of(published), of(published), null);
    await run('lock', messages);
    await run('want', messages, of(0), of(20), margin, null);
    await run('claim', account, 20, lease, 35, null);
    const claimed = await run('claimed', lease, margin, null, null, null);
    await run('wake', account, lease, false, [], null);
    return claimed.rows;
  });
  const results = await Promise.all(claims.map(async (c) => {
    const [, id, , , message, , , , stored] = c;
    const begun = Date.now();
    const r = await api.getChargePermission(id);
    const p = typeof r.data === 'string' ? JSON.parse(r.data) : r.data;
    if (p.chargePermissionId !== id) throw new Error(`${id}: answered ${p.chargePermissionId}`);
    const state = stateOf(p);
    return {
      account, id, kind: 'read', hold: false, read_at: new Date(Date.parse(r.headers.date) - (Date.now() - begun)).toISOString(),
      request_id: r.headers['x-amz-pay-request-id'], cause: 'ipn', message_id: message, backoff: 0, error: null, state, raw: p, changes: changes(stored, state),
    };
  }));
  return transaction(async () => {
    await run('fence', lease);
    const settled = await run('commit', lease, JSON.stringify(results), margin, margin + 2, 3, null);
    await run('wake', account, null, false, [], null);
    return settled.rows.length && results.filter((r) => r.changes.length > 0).length;
  });
}

async function main() {
  await db.connect();
  for (let i = 0; i < warm.length; i += 10) await batch(warm.slice(i, i + 10));
  const begun = process.cpuUsage();
  let changed = 0;
  for (let i = 0; i < ids.length; i += 10) changed += await batch(ids.slice(i, i + 10));
  const took = process.cpuUsage(begun);
  const signing = process.cpuUsage();
  for (const id of ids) sign('sha256', Buffer.from(id), { key: settings.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  const signed = process.cpuUsage(signing);
  console.log(JSON.stringify({ changed, microseconds: took.user + took.system, signatures: signed.user + signed.system }));
  await db.end();
}
main().catch((e) => {
  console.error(e.response?.data ?? e);
  process.exit(1);
});
