/** Stands in for the native part of aws-lambda-ric (src/native/rapid-client.cc), which has to be compiled: --require it. */
const { request } = require('node:http');
const Module = require('node:module');

const [host, port] = String(process.env.AWS_LAMBDA_RUNTIME_API).split(':');
const agent = new (require('node:http').Agent)({ keepAlive: true, maxSockets: 1 });

/** @param {string} method @param {string} path @param {string} [body] @returns {Promise<{ bodyJson: string, headers: object }>} */
function ask(method, path, body = '') {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
      let bodyJson = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        bodyJson += chunk;
      });
      response.on('end', () => resolve({ bodyJson, headers: response.headers }));
    });
    call.on('error', reject).end(body);
  });
}

const client = {
  next: () => ask('GET', 'next'),
  /** @param {string} id @param {string} body */
  done: (id, body) => void ask('POST', `${id}/response`, body),
  /** @param {string} id @param {string} body */
  error: (id, body) => void ask('POST', `${id}/error`, body),
};

const load = Reflect.get(Module, '_load');
Reflect.set(
  Module,
  '_load',
  /** @param {string} id @param {unknown[]} rest */ (id, ...rest) =>
    id.endsWith('rapid-client.node') ? client : load(id, ...rest),
);
