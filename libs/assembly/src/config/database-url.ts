/** What two URLs must agree in to mean the same database. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: string;
  readonly database: string;
}

export function databaseOf(url: string): DatabaseAddress {
  const { hostname, port, pathname, username, searchParams } = new URL(url);
  const named = decodeURIComponent(pathname.slice(1));
  // As psql does: a database that is not named is the one of the user's name.
  const database = named !== '' ? named : (searchParams.get('dbname') ?? decodeURIComponent(username));
  return { host: hostname === '' ? 'localhost' : hostname, port: port === '' ? '5432' : port, database };
}

/** `pgstream_<database>_slot`, as the original names it. */
export function defaultSlotName(url: string): string {
  const { database } = databaseOf(url);
  const name = `pgstream_${database.replaceAll(/[.-]/g, '_').toLowerCase()}_slot`;
  return name.length <= 63 ? name : `${name.slice(0, 58)}_slot`;
}
