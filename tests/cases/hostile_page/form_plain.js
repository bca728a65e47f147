// POST: the third one
form(to, fields, { target: frame().name, enctype: 'text/plain' }).submit();
