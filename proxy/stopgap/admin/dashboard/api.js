// How is the gate asked? With the token of this tab, if there is one, and never anybody else.

const KEY = "stopgap.token";

/** The gate wants a token, or another one. */
export class TokenWanted extends Error {}

/** The gate said no; `told` is its answer. */
export class Refused extends Error {
  constructor(status, told) {
    super(typeof told === "string" ? told : told.text);
    this.status = status;
    this.told = told;
  }
}

export const keepToken = (token) => sessionStorage.setItem(KEY, token);
export const forgetToken = () => sessionStorage.removeItem(KEY);
export const hasToken = () => sessionStorage.getItem(KEY) !== null;

/** The answer to GET. */
export const get = (path) => ask(path, { method: "GET" });

/** The answer to POST, which changes something; `body` is sent as JSON where it is given. */
export const post = (path, body) =>
  ask(path, {
    method: "POST",
    headers: {
      "X-Stopgap-Asks": "dashboard",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

async function ask(path, options) {
  const token = sessionStorage.getItem(KEY);
  const headers = { Accept: "application/json", ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.status === 401) throw new TokenWanted();
  const json = answer.headers.get("Content-Type") === "application/json";
  const told = json ? await answer.json() : (await answer.text()).trim();
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}
