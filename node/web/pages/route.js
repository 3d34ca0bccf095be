// @ts-check
/** Where a page is: its name, the job it is about, the moment, and what was chosen on it; all of it stands in the address. */

/**
 * @typedef {{ page: string, id: string, at: string | null, query: URLSearchParams }} Route
 * @typedef {{ position: number, time: string, jobs: string[] | null, nodes: boolean }} Change
 * What a page reads are paths by name; null is nothing, undefined what is known already, and { now } as of now whatever the moment.
 * @typedef {{ pace_ms: number, reads: (route: Route, known: any) => Record<string, any>, draw: (data: any, route: Route) => any[],
 *   touched: (change: Change, route: Route) => boolean, ticks?: (data: any) => boolean, span?: (data: any) => number[] | null }} Page
 */

/** @returns {Route} */
export function routeOf(hash) {
  const [path, words] = hash.replace(/^#\/?/, "").split("?");
  const [name, id] = path.split("/");
  const query = new URLSearchParams(words);
  return { page: id ? "job" : name || "network", id: readable(id ?? ""), at: query.get("at"), query };
}

/** Part of an address as it was before it was encoded; as it is, if it is not encoded well. */
export function readable(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of this page with some of its choices changed; null takes one away. */
export function href(route, changes = {}) {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  const path = route.page === "job" ? `jobs/${encodeURIComponent(route.id)}` : route.page;
  return `#/${path}${query.size ? `?${query}` : ""}`;
}

/** The address of another page at the same moment. */
export function elsewhere(route, path) {
  return `#/${path}${route.at === null ? "" : `${path.includes("?") ? "&" : "?"}at=${encodeURIComponent(route.at)}`}`;
}

/** Part of a path to read, from what is not empty. */
export function asked(given) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) if (value !== null && value !== undefined && value !== "") query.set(name, value);
  return query.size ? `?${query}` : "";
}
