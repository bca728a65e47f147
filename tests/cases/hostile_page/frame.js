// FRAME: the page in a frame, to be clicked on unseen
const target = frame();
target.src = to;
await pause(800);
return target.contentDocument && target.contentDocument.body.innerText;
