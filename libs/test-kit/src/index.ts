export { endpoints, uniqueName, type Endpoints } from './endpoints.ts';
export { waitFor } from './wait-for.ts';
