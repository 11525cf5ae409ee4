// Calls Get Charge Permission by the official SDK and prints what came of it.
// Arguments: a JSON object with the SDK's path, its settings, and the id.
'use strict';
const { sdk, settings, id, payload } = JSON.parse(process.argv[2]);
const { WebStoreClient } = require(sdk);
const fs = require('fs');

settings.privateKey = fs.readFileSync(settings.privateKeyFile);
delete settings.privateKeyFile;
const client = new WebStoreClient(settings);
const call = payload
  ? client.apiCall({ method: 'POST', urlFragment: `checkoutSessions/${id}/complete`, payload, headers: { 'x-amz-pay-idempotency-key': 'k1' } })
  : client.getChargePermission(id);
call.then(
  (r) => console.log(JSON.stringify({ status: r.status ?? 200, body: r.data })),
  (e) => console.log(JSON.stringify({ status: e.response?.status, body: e.response?.data, error: String(e.message) })),
);
