// POST: XMLHttpRequest with credentials
return new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open('POST', to);
  request.withCredentials = true;
  request.onload = () => resolve(request.responseText);
  request.onerror = () => reject(new Error('kept out'));
  request.send(new URLSearchParams(fields));
});
