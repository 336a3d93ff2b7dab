// Questions to the server. What it refuses is thrown as a Problem that says what to do next.

export class Problem extends Error {
  constructor(what, expected, hint) {
    super(what);
    this.expected = expected;
    this.hint = hint;
  }
}

export async function ask(path, parameters, signal) {
  return answer(fetch(`${path}?${parameters}`, { signal }));
}

export async function tell(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return answer(fetch(path, options));
}

async function answer(asked) {
  let response;
  try {
    response = await asked;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer.", null, "tuneclip serve");
  }
  const type = response.headers.get("content-type") ?? "";
  const body = type.startsWith("application/json") ? await response.json() : { what: await response.text() };
  if (!response.ok) throw new Problem(body.what, body.expected, body.hint);
  return body;
}
