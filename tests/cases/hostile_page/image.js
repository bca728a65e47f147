// GET: a picture
new Image().src = to;
