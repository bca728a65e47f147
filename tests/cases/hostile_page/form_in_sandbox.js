// POST: a form in a frame that has no origin
const source = form(to, fields, {}).outerHTML;
const target = frame();
target.sandbox = 'allow-scripts allow-forms';
target.srcdoc = `${source}<script>document.forms[0].submit()</script>`;
