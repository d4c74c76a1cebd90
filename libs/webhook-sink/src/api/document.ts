import type { WebhookApiOptions } from './api-options.ts';
import { WebhookApi } from './webhook-api.ts';

/** The OpenAPI document of the API, as it is served: made of the routes alone. */
export async function openApiDocument(): Promise<object> {
  const parts: Partial<WebhookApiOptions> = { address: '127.0.0.1:0', token: null, readTimeoutMs: 1_000 };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no request is answered: routes are only named
  const api = new WebhookApi(parts as WebhookApiOptions);
  try {
    return await api.document();
  } finally {
    await api.close();
  }
}
