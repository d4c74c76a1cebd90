// The first argument names the service; the rest are its own. No shell and no wrapper: signals reach the service.
const [service = 'cli', ...args] = process.argv.slice(2);
const main = new URL(`./services/${service}/dist/main.js`, import.meta.url);
process.argv = [process.argv[0], main.pathname, ...args];
await import(main.href);
