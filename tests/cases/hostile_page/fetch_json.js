// OPTIONS: a body that forms cannot have, so that the browser asks first
const answer = await fetch(to, {
  method: 'POST',
  credentials: 'include',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(fields)
});
return answer.text();
