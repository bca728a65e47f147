// POST: a fetch that asks for the person's cookies, and for the answer
const answer = await fetch(to, {
  method: 'POST',
  credentials: 'include',
  body: new URLSearchParams(fields)
});
return answer.text();
