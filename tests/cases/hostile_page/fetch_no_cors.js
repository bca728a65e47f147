// POST: a fetch that does not want the answer
const answer = await fetch(to, {
  method: 'POST',
  mode: 'no-cors',
  credentials: 'include',
  body: new URLSearchParams(fields)
});
return answer.text();
