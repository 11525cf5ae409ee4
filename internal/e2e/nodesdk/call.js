// Calls a method of the official SDK's client and prints the result.
// Arguments: a JSON object with the SDK's path, its settings, the method and
// its arguments.
'use strict';
const { sdk, settings, method, args } = JSON.parse(process.argv[2]);
const { WebStoreClient } = require(sdk);
const fs = require('fs');

settings.privateKey = fs.readFileSync(settings.privateKeyFile);
delete settings.privateKeyFile;
const client = new WebStoreClient(settings);
Promise.resolve(client[method](...args)).then(
  (r) => console.log(JSON.stringify({ status: r.status ?? 200, body: r.data ?? r })),
  (e) => console.log(JSON.stringify({ status: e.response?.status, body: e.response?.data, error: String(e.message) })),
);
