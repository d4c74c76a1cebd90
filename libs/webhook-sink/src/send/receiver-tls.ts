import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';

/** What connections to one receiver need beside the usual, in PEM. Sealed in the store, never shown and never logged. */
export interface ReceiverTls {
  /** Whom to trust, in place of the public authorities. */
  readonly ca?: string;
  /** What to show to a receiver that asks for it (mTLS), its intermediates behind it. */
  readonly cert?: string;
  /** The key of {@link cert}, without a passphrase. */
  readonly key?: string;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Why `tls` cannot be used for `url`, for whoever sent it and without what it holds; `undefined` when it can. */
export function tlsFault(tls: ReceiverTls | null, url: string): string | undefined {
  if (tls === null) return undefined;
  if (!/^https:/i.test(url.trim())) return 'tls: only an https URL uses it';
  if (tls.ca !== undefined && certificatesIn(tls.ca) === undefined) {
    return 'tls.ca: expected one certificate in PEM, or several';
  }
  return clientFault(tls);
}

/** When the certificate that is shown to the receiver runs out. @param tls was let through by {@link tlsFault}. */
export function clientCertificateUntil({ cert }: ReceiverTls): Date | null {
  const [own] = cert === undefined ? [] : (certificatesIn(cert) ?? []);
  return own === undefined ? null : new Date(own.validTo);
}

function clientFault({ cert, key }: ReceiverTls): string | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) return 'tls: cert and key come together';
  const [own] = certificatesIn(cert) ?? [];
  if (own === undefined) return 'tls.cert: expected a certificate in PEM';
  const read = privateKeyIn(key);
  if (read === undefined) return 'tls.key: expected a private key in PEM without a passphrase';
  return own.checkPrivateKey(read) ? undefined : 'tls.key: it is not the key of tls.cert';
}

/** `undefined` where a block is none, or something else stands between them. */
function certificatesIn(pem: string): X509Certificate[] | undefined {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0 || pem.replaceAll(BLOCK, '').trim() !== '') return undefined;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

function privateKeyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
