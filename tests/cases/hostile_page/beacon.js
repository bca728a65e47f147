// POST: a beacon, which outlives the page
navigator.sendBeacon(to, new URLSearchParams(fields));
