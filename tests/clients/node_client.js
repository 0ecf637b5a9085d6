// Puts a running engine through its paces with node-postgres: node node_client.js PORT

const assert = require('node:assert/strict');
const net = require('node:net');
const { Client, Pool } = require('pg');

const place = { host: '127.0.0.1', port: Number(process.argv[2]), user: 'root', database: 'dev' };

const VALUES = [
  ['boolean', true],
  ['smallint', -7],
  ['integer', 5],
  ['bigint', '9223372036854775807'],
  ['real', 0.5],
  ['double precision', 0.1],
  ['numeric', '1.50'],
  ['numeric', 'NaN'],
  ['varchar', 'naïve 𝄞 \'"\\\n'],
  ['bytea', Buffer.from([0, 255, 92])],
  ['time', '01:02:03.004'],
  ['timestamp', new Date(2026, 0, 2, 3, 4, 5, 6)],
  ['timestamptz', new Date(1767323045006)],
  ['jsonb', { a: [1, null] }],
  ['integer[]', [1, 2, null]],
  ['varchar[]', ['a', null, 'b,"c\\', '', 'NULL']],
  ['boolean[]', [true]],
];

// What libpq's PQcancel sends; node-postgres has no call for it.
function cancel(client) {
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80877102, 4);
  request.writeInt32BE(client.processID, 8);
  request.writeInt32BE(client.secretKey, 12);
  const socket = net.connect(place.port, place.host, () => socket.end(request));
}

async function main() {
  const client = new Client(place);
  await client.connect();
  for (const [kind, value] of VALUES) {
    for (const given of [value, null]) {
      const found = await client.query({ name: `as ${kind}`, text: `select $1::${kind} as v`, values: [given] });
      assert.deepEqual(found.rows[0].v, given, kind);
    }
  }
  await client.query('create table node_rows (id int primary key, name varchar)');
  for (let i = 0; i < 20; i += 1) {
    const inserted = await client.query({ name: 'insert', text: 'insert into node_rows values ($1, $2)', values: [i, `n${i}`] });
    assert.equal(inserted.rowCount, 1);
  }
  await client.query('flush');
  const some = await client.query('select name from node_rows where id = any($1) order by id', [[1, 3]]);
  assert.deepEqual(some.rows, [{ name: 'n1' }, { name: 'n3' }]);
  assert.equal((await client.query('update node_rows set name = $1 where id < $2', ['x', 5])).rowCount, 5);
  for (const sql of ['select nope', 'selec 1', 'select 1 / 0']) {
    await assert.rejects(client.query(sql), { code: 'XX000' });
    assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
  }
  for (const sql of ['begin', 'select 1', 'rollback', 'begin read only', 'commit']) await client.query(sql);

  setTimeout(() => cancel(client), 500);
  await assert.rejects(client.query('select pg_sleep(20)'), /Task aborted: cancelled/);
  assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);

  const pool = new Pool({ ...place, max: 4 });
  const numbers = [...Array(20).keys()];
  const found = await Promise.all(numbers.map((i) => pool.query('select $1::int as v', [i])));
  assert.deepEqual(found.map((result) => result.rows[0].v), numbers);
  await pool.end();
  await client.query('drop table node_rows');
  await client.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
