// POST: a fetch that outlives the page
await fetch(to, {
  method: 'POST',
  mode: 'no-cors',
  keepalive: true,
  credentials: 'include',
  body: new URLSearchParams(fields)
});
