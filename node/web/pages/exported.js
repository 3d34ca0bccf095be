// @ts-check
/** A job in a file of its own: the same page over documents that the file holds, with no server. */
import { read } from "./api.js";
import { patchChildren } from "./dom.js";
import { job } from "./job.js";
import { routeOf } from "./route.js";

async function show() {
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  const route = routeOf(`#/jobs/${main.dataset.job}?${location.hash.split("?")[1] ?? ""}`);
  const status = /** @type {HTMLElement} */ (document.getElementById("status"));
  /** @type {any} */
  const data = {};
  status.textContent = "";
  for (const [name, path] of Object.entries(job.reads(route, {}))) {
    data[name] = path && !["first", "last"].includes(name) ? await read(path.now ?? path).catch((problem) => { status.textContent = problem.message; }) : null;
  }
  patchChildren(main, job.draw(data, route).flat(Infinity).filter(Boolean));
}

addEventListener("hashchange", show);
show();
