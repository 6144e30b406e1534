// Uploads FILE with tus-js-client, which is not ours, and goes on after every break, as its users do.
//
// usage: node upload.mjs MODULES FILE ENDPOINT CA CERT KEY CATALOG NAME [CHUNK_BYTES]
// Prints the submission's Location.
import {createHash} from 'node:crypto';
import {createReadStream, readFileSync, statSync} from 'node:fs';
import {createRequire} from 'node:module';

const [modules, file, endpoint, ca, cert, key, catalog, name, chunk] = process.argv.slice(2);
const tus = createRequire(modules + '/')('tus-js-client');
const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
const upload = new tus.Upload(createReadStream(file), {
  endpoint,
  metadata: {catalog, name, sha256},
  uploadSize: statSync(file).size,
  chunkSize: chunk ? Number(chunk) : 4 << 20,
  retryDelays: Array(100).fill(100),
  httpStack: new tus.DefaultHttpStack({ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key)}),
  onError(error) {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess({lastResponse}) {
    console.log(lastResponse.getHeader('Location'));
  },
});
upload.start();
