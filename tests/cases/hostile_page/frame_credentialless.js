// FRAME: the page in a frame that asks for no cookies
const target = frame();
target.credentialless = true;
target.src = to;
await pause(800);
return target.contentDocument && target.contentDocument.body.innerText;
