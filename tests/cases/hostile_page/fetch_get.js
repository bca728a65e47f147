// GET: a fetch that wants to read
const answer = await fetch(to, { credentials: 'include' });
return answer.text();
