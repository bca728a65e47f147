// POST: a form whose answer is a new tab
form(to, fields, { target: '_blank' }).submit();
