// POST: a form into a tab that shows the gateway's own page
const name = `tab${Math.random()}`;
const tab = open(new URL('/', to).href, name);
await pause(800);
form(to, fields, { target: name }).submit();
await pause(300);
return tab.document && tab.document.body.innerText;
