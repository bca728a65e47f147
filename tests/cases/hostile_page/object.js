// FRAME: the page as an embedded object
const made = document.createElement('object');
made.data = to;
made.type = 'text/html';
document.body.append(made);
await pause(800);
return made.contentDocument && made.contentDocument.body.innerText;
