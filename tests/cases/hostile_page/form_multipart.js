// POST: the other encoding that forms have
form(to, fields, { target: frame().name, enctype: 'multipart/form-data' }).submit();
