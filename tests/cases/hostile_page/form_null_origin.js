// POST: a form that hides where it comes from
form(to, fields, { target: frame().name, rel: 'noreferrer' }).submit();
