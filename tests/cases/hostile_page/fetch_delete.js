// OPTIONS: a method that forms cannot have
const answer = await fetch(to, { method: 'DELETE', credentials: 'include' });
return answer.text();
