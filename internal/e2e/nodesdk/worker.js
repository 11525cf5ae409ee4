// Does what the worker does for batches of ten notifications, with the official
// SDK and pg: records them, reads each charge permission, stores what was read.
// It claims nothing, compares nothing and keeps no history, so it is measured
// with less work than ours. Prints how many it stored and the CPU time it took.
// Standard input: a JSON object with the modules' folder, the SDK's settings, the
// database's URL and the ids.
'use strict';
const fs = require('fs');
const path = require('path');
const { randomUUID } = require('crypto');
const { modules, settings, database, ids } = JSON.parse(fs.readFileSync(0, 'utf8'));
const { WebStoreClient } = require(path.join(modules, '@amazonpay', 'amazon-pay-api-sdk-nodejs'));
const { Client } = require(path.join(modules, 'pg'));

settings.privateKey = fs.readFileSync(settings.privateKeyFile);
delete settings.privateKeyFile;
const api = new WebStoreClient(settings);
const db = new Client({ connectionString: database });

async function batch(ids) {
  const messages = ids.map((id) => ({ message_id: randomUUID(), id }));
  await db.query({
    name: 'inbox',
    text: `insert into node_inbox (message_id, id) select message_id, id from jsonb_to_recordset($1) as m (message_id text, id text)
           order by message_id on conflict (message_id) do nothing`,
    values: [JSON.stringify(messages)],
  });
  const read = await Promise.all(ids.map((id) => api.getChargePermission(id)));
  const rows = read.map((r, i) => {
    const p = typeof r.data === 'string' ? JSON.parse(r.data) : r.data;
    if (p.chargePermissionId !== ids[i]) throw new Error(`${ids[i]}: answered ${p.chargePermissionId}`);
    return { id: p.chargePermissionId, state: p.statusDetails.state, city: p.shippingAddress?.city, raw: p };
  });
  const stored = await db.query({
    name: 'store',
    text: `insert into node_rows (id, state, city, raw) select id, state, city, raw from jsonb_to_recordset($1) as p (id text, state text, city text, raw jsonb)
           order by id on conflict (id) do update set state = excluded.state, city = excluded.city, raw = excluded.raw`,
    values: [JSON.stringify(rows)],
  });
  return stored.rowCount;
}

async function main() {
  await db.connect();
  await db.query(`create temporary table node_inbox (message_id text primary key, id text not null)`);
  await db.query(`create temporary table node_rows (id text primary key, state text, city text, raw jsonb)`);
  for (let i = 0; i < 200 && i < ids.length; i += 10) await batch(ids.slice(i, i + 10)); // warms it up
  const begun = process.cpuUsage();
  let stored = 0;
  for (let i = 0; i < ids.length; i += 10) stored += await batch(ids.slice(i, i + 10));
  const took = process.cpuUsage(begun);
  console.log(JSON.stringify({ stored, microseconds: took.user + took.system }));
  await db.end();
}
main().catch((e) => {
  console.error(e.response?.data ?? e);
  process.exit(1);
});
