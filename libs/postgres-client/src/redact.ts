/** Hides passwords of URLs and of `password=` parameters in a text that is to be printed. */
export function redactSecrets(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/]*@/gi, '$1:***@')
    .replace(/\b((?:ssl)?password)=('[^']*'|[^\s&'"]+)/gi, '$1=***');
}
