// Requests to the server that the page comes from.

/** The server wants a log-in first. */
export class NeedsLogin extends Error {}

/** The user may not see this. */
export class Forbidden extends Error {}

async function answered(response) {
  if (response.status === 401) throw new NeedsLogin("Log in to see this.");
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  let message = `${response.status} ${response.statusText}`;
  try {
    const fault = JSON.parse(text);
    message = fault.detailMessage && fault.detailMessage !== fault.message
      ? `${fault.message}: ${fault.detailMessage}` : fault.message ?? message;
  } catch {
    // No document of ours: the status says what there is to say.
  }
  throw response.status === 403 ? new Forbidden(message) : new Error(message);
}

/** The JSON document of a GET request; `parameters` go into its query. */
export async function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams(parameters).toString();
  return answered(await fetch(query ? `${path}?${query}` : path, { signal, headers: { Accept: "application/json" } }));
}

/** The JSON document of a POST request. */
export async function post(path, document, signal = undefined) {
  return answered(await fetch(path, {
    method: "POST",
    signal,
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify(document),
  }));
}

/** Whether user and password are right; a cookie keeps the session. */
export async function logIn(username, password) {
  const response = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username, password }),
  });
  if (response.status === 401) return false;
  await answered(response);
  return true;
}
