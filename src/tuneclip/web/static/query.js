// What is looked for, as it stands in the address: reload, back and a shared link find the same.

export const TERMS = ["words", "minus", "like", "unlike", "picture", "where"];
const OPPOSITE = { words: "minus", minus: "words", like: "unlike", unlike: "like" };

export function from_address(search = location.search) {
  const given = new URLSearchParams(search);
  return { terms: TERMS.flatMap((kind) => given.getAll(kind).map((value) => ({ kind, value }))), k: Number(given.get("k")) || 60 };
}

export function to_parameters(query, extra = {}) {
  const parameters = new URLSearchParams(extra);
  for (const { kind, value } of query.terms) parameters.append(kind, value);
  if (query.k !== 60) parameters.set("k", query.k);
  return parameters;
}

export function is_empty(query) {
  return !query.terms.some(({ kind }) => ["words", "like", "picture"].includes(kind));
}

export function has(query, term) {
  return query.terms.some(({ kind, value }) => kind === term.kind && value === term.value);
}

export function with_term(query, term) {
  return has(query, term) ? query : { terms: [...query.terms, term], k: 60 };
}

export function without_term(query, term) {
  return { terms: query.terms.filter(({ kind, value }) => kind !== term.kind || value !== term.value), k: 60 };
}

export function turned(query, term) {
  const terms = query.terms.map((each) => (each === term ? { kind: OPPOSITE[each.kind], value: each.value } : each));
  return { terms, k: 60 };
}

export function can_turn(term) {
  return term.kind in OPPOSITE;
}

// Typed words take the place of the words before; after a + they come on top, after a - they are taken away.
export function with_typed(query, typed) {
  const value = typed.replace(/^[+\-−]\s*/, "").trim();
  if (!value) return query;
  if (/^[-−]/.test(typed)) return with_term(query, { kind: "minus", value });
  if (/^\+/.test(typed)) return with_term(query, { kind: "words", value });
  const kept = query.terms.filter(({ kind }) => kind !== "words");
  return { terms: [{ kind: "words", value }, ...kept], k: 60 };
}

// "More like this" leaves the filters and forgets the rest.
export function like_this(query, id) {
  return { terms: [{ kind: "like", value: id }, ...query.terms.filter(({ kind }) => kind === "where")], k: 60 };
}

export function equals_filter(name, value) {
  const field = /^[A-Za-z_][\w.]*$/.test(name) ? name : `\`${name}\``;
  const literal = typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
  return { kind: "where", value: value === null ? `${field} is null` : `${field} = ${literal}` };
}
