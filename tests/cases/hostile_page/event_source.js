// GET: a stream of events
const source = new EventSource(to, { withCredentials: true });
await new Promise(resolve => {
  source.onmessage = source.onerror = resolve;
});
source.close();
