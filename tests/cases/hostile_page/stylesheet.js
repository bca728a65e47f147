// GET: a style sheet
const made = document.createElement('link');
made.rel = 'stylesheet';
made.href = to;
document.head.append(made);
