// @ts-check
/** A job in a file of its own: the views that it holds, put together as its address asks, without any server. */
import { moveCursors } from "./cursor.js";
import { show } from "./show.js";

const by = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @type {{ page: string, slots: Record<string, string[]>, views: Record<string, Record<string, string>> }} */
const kept = JSON.parse(by("kept").textContent ?? "");
const NOT_HERE = "This file does not hold that. lota ui shows it while the network is there.";

function put() {
  const query = new URLSearchParams(location.hash.split("?")[1]);
  let all = true;
  const chosen = (slot) => {
    const names = kept.slots[slot].filter((name) => query.has(name));
    for (;;) {
      const view = kept.views[slot][names.map((name) => `${name}=${query.get(name)}`).join("&")];
      if (view !== undefined || !names.length) return filled(view ?? "");
      all = false;
      names.pop();
    }
  };
  const filled = (html) => html.replace(/<slot name="(\w+)"><\/slot>/g, (_, slot) => chosen(slot));
  show(by("main"), filled(kept.page));
  for (const link of by("main").querySelectorAll("[href^='#/'], [data-href]")) keep(link, query);
  markCauses(query.get("event"));
  by("status").textContent = all ? "" : NOT_HERE;
}

/** Let a link leave alone what was chosen elsewhere on the page: the views of a slot know of their own choice only. */
function keep(link, query) {
  const others = kept.slots[link.closest("[data-key=Events]") ? "result" : "events"];
  const words = new URLSearchParams([...query].filter(([name]) => others.includes(name)));
  const name = link.matches("[data-href]") ? "data-href" : "href";
  const address = link.getAttribute(name);
  if (words.size) link.setAttribute(name, `${address}${address.includes("?") ? "&" : "?"}${words}`);
}

function markCauses(event) {
  const row = event && document.querySelector(`tr[data-key="${CSS.escape(event)}"]:not(.chain)`);
  if (!row) return;
  row.classList.add("chain");
  markCauses(row.querySelector("td:last-child a")?.getAttribute("title"));
}

moveCursors(by("main"));
addEventListener("hashchange", put);
put();
