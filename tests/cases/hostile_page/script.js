// GET: a script
const made = document.createElement('script');
made.src = to;
document.body.append(made);
